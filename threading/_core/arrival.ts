/**
 * Whether what has come from elsewhere can be turned back into values and errors here and now.
 *
 * To import the main module ends when its evaluation has. While that waits for what is to be decoded, the import would never end:
 * 1. the main module awaits a call at its top level;
 * 2. the call fails with an error whose class the main module exports;
 * 3. `import()` of the main module ends when its evaluation has, which waits for 2.
 * So whoever would import something asks {@linkcode mainIsEvaluated} first. An error can always be had as one of the nearest class that
 * is there, with its own name.
 *
 * @module
 */
import type { EncodedError } from "./outcome.ts";
import { resolveSync } from "./reference.ts";
import { isMain } from "./site.ts";

/** How a call has ended, decoded. */
export type Ended = { readonly value: unknown } | { readonly error: unknown };

/** Whether no error in it would get a better class by waiting. */
export function classesAreHere({ specials }: EncodedError): boolean {
  return (specials ?? []).every((special) => {
    if (special.kind !== "error" || special.form.classes.length === 0) return true;
    const [best] = special.form.classes;
    if (best.how !== "reference") return best.how === "builtin";
    try {
      resolveSync(best.reference);
      return true;
    } catch {
      return false;
    }
  });
}

/** The main module, in the thread that evaluates it. */
export function mainModule(): string | undefined {
  try {
    return isMain() ? Deno.mainModule : undefined;
  } catch {
    // Not to be known without --allow-read.
    return undefined;
  }
}

let evaluated = false;

/**
 * Whether the evaluation of the main module is over, or not this thread's. Imports of modules that are evaluated end in the order in
 * which they were asked for: when one of this module has ended that was asked for later, so has that of the main module, or it waits.
 */
export async function mainIsEvaluated(): Promise<boolean> {
  if (evaluated) return true;
  const main = mainModule();
  if (main === undefined) return evaluated = true;
  const ended = () => {
    evaluated = true;
  };
  void import(main).then(ended, ended);
  for (let i = 0; i < 3 && !evaluated; i++) await import(import.meta.url);
  return evaluated;
}
