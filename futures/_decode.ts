/**
 * What has come from another thread, turned back into values and errors, at once where that can be.
 *
 * Guarantees: {@linkcode received} always ends, also while the main module is still being evaluated and may wait for just that; see
 * `arrival.ts` of the engine room.
 *
 * @module
 */
import {
  classesAreHere,
  decodeError,
  decodeErrorSync,
  type EncodedError,
  type Ended,
  mainIsEvaluated,
  mainModule,
  type Parcel,
  PicklingError,
  type Reference,
  unpack,
  unpackSync,
} from "../threading/_core/mod.ts";

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
  if (main !== undefined && modulesOf(parcel).has(main) && !await mainIsEvaluated()) {
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
