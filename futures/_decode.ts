/**
 * What has come from another thread, turned back into values and errors, at once where that can be.
 *
 * Guarantees: {@linkcode received} always ends, also while the main module is still being evaluated. Importing it would then never
 * end when it is itself waiting for what is to be decoded:
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
  type Parcel,
  PicklingError,
  type Reference,
  resolveSync,
  unpack,
  unpackSync,
} from "../threading/_core/mod.ts";

/** How a call has ended, decoded. */
export type Ended = { readonly value: unknown } | { readonly error: unknown };

/** An outcome that has arrived: a value that needs no decoding is not sent as a parcel. */
export type Arrived = { readonly parcel: Parcel } | { readonly error: EncodedError };

/** Decodes without waiting, with what is loaded here. Never throws. */
export function receivedNow(arrived: Arrived): Ended {
  if ("error" in arrived) return { error: decodeErrorSync(arrived.error) };
  try {
    return { value: unpackSync(arrived.parcel) };
  } catch (error) {
    return { error };
  }
}

/** Decodes at once if nothing is lost by that, `undefined` when a module has to be imported first. */
export function receivedSoon(arrived: Arrived): Ended | undefined {
  if ("error" in arrived && !classesAreHere(arrived.error)) return undefined;
  const ended = receivedNow(arrived);
  return "parcel" in arrived && "error" in ended ? undefined : ended;
}

/** Decodes, importing what is needed. Never rejects. */
export async function received(arrived: Arrived): Promise<Ended> {
  const parcel = "error" in arrived ? arrived.error : arrived.parcel;
  const main = mainModule();
  if (main !== undefined && modulesOf(parcel).has(main) && !await isEvaluated(main)) {
    const ended = receivedNow(arrived);
    if ("value" in ended || "error" in arrived) return ended;
    return {
      error: new PicklingError(
        `Cannot receive the value: its class is exported by ${main}, which is still being evaluated; move the class to a module of its own`,
        { cause: ended.error },
      ),
    };
  }
  if ("error" in arrived) return { error: await decodeError(arrived.error) };
  try {
    return { value: await unpack(arrived.parcel) };
  } catch (error) {
    return { error };
  }
}

/** Whether no error in the parcel would get a better class by waiting. */
function classesAreHere({ specials }: Parcel): boolean {
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

function modulesOf({ specials }: Parcel): Set<string> {
  const modules = new Set<string>();
  const add = (reference: Reference) => {
    if (reference.how === "search") { for (const url of reference.modules) modules.add(url); }
    else modules.add(reference.module);
  };
  for (const special of specials ?? []) {
    if (special.kind === "function" || special.kind === "instance") add(special.reference);
    else if (special.kind === "error") {
      for (const each of special.form.classes) if (each.how === "reference") add(each.reference);
    }
  }
  return modules;
}

/** The main module, in the thread that evaluates it. */
function mainModule(): string | undefined {
  try {
    return isMain() ? Deno.mainModule : undefined;
  } catch {
    // Not to be known without --allow-read.
    return undefined;
  }
}

let evaluated = false;

/**
 * Whether the evaluation of the main module is over. Imports of modules that are evaluated end in the order in which they were asked
 * for: when one of this module has ended that was asked for later, so has that of the main module, or it waits.
 */
async function isEvaluated(main: string): Promise<boolean> {
  if (evaluated) return true;
  const ended = () => {
    evaluated = true;
  };
  void import(main).then(ended, ended);
  for (let i = 0; i < 3 && !evaluated; i++) await import(import.meta.url);
  return evaluated;
}
