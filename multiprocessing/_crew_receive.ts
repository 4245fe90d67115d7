/**
 * What has come from a worker, turned back into values and errors: at once where that can be, else when the modules that it needs are
 * imported.
 *
 * Guarantees: it always ends, also while the main module is still being evaluated. Importing that would never end when it is itself
 * waiting for what is to be decoded:
 * 1. the main module awaits a call at its top level;
 * 2. the call fails with an error whose class the main module exports;
 * 3. `import()` of the main module ends when its evaluation has, which waits for 2.
 * An error then comes as one of the nearest class that can be had, with its own name.
 *
 * @module
 */
import {
  decodeError,
  decodeErrorSync,
  type EncodedError,
  isMain,
  PicklingError,
  resolveSync,
} from "../threading/_core/mod.ts";
import { type Answer, type Codec, VALUE } from "./_crew_protocol.ts";

/** How a task has ended. */
export type Ended = { readonly value: unknown } | { readonly error: unknown };

/** Calls `done` with what an answer says: at once, if nothing is lost by that. Never throws. */
export function receive<B>(
  codec: Codec<B>,
  { kind, body }: Pick<Answer<B>, "kind" | "body">,
  done: (ended: Ended) => void,
): void {
  if (kind === VALUE) {
    try {
      done({ value: codec.unpackNow(body) });
    } catch {
      void valueSoon(codec, body).then(done);
    }
    return;
  }
  let error: EncodedError;
  try {
    error = codec.unpackError(body);
  } catch (cause) {
    return done({ error: cause });
  }
  if (classesAreHere(error)) done({ error: decodeErrorSync(error) });
  else void errorSoon(error).then((error) => done({ error }));
}

async function valueSoon<B>(codec: Codec<B>, body: B): Promise<Ended> {
  if (!await mainIsEvaluated()) {
    try {
      return { value: codec.unpackNow(body) };
    } catch (cause) {
      return {
        error: new PicklingError(
          "Cannot receive the result: it needs a module that is not loaded while the main module is still being evaluated; " +
            "move its class to a module of its own, and import that in the main module",
          { cause },
        ),
      };
    }
  }
  try {
    return { value: await codec.unpackSoon(body) };
  } catch (error) {
    return { error };
  }
}

/** The error that was encoded, of its own class if that can be had. Never rejects. */
export async function errorSoon(error: EncodedError): Promise<unknown> {
  return await mainIsEvaluated() ? await decodeError(error) : decodeErrorSync(error);
}

/** Whether no error in it would get a better class by waiting. */
function classesAreHere({ specials }: EncodedError): boolean {
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

let evaluated = false;

/**
 * Whether the evaluation of the main module is over. Imports of modules that are evaluated end in the order in which they were asked
 * for: when one of this module has ended that was asked for later, so has that of the main module, or it waits.
 */
async function mainIsEvaluated(): Promise<boolean> {
  if (evaluated) return true;
  let main: string | undefined;
  try {
    main = isMain() ? Deno.mainModule : undefined;
  } catch {
    // Not to be known without --allow-read.
  }
  if (main === undefined) return evaluated = true;
  const ended = () => {
    evaluated = true;
  };
  void import(main).then(ended, ended);
  for (let i = 0; i < 3 && !evaluated; i++) await import(import.meta.url);
  return evaluated;
}
