/**
 * What a manager's server takes from a client that may have fewer permissions than it has itself: values that name only modules that the
 * server knows. See `trust.ts` in the engine room, which says the same for a whole program; here it holds for one client, and the others
 * go on naming what they like.
 *
 * @module
 */
import {
  decode,
  deserialize,
  type ErrorClassForm,
  hasObjects,
  modulesOf,
  type Parcel,
  type Special,
  unpack,
} from "../threading/_core/mod.ts";
import { isKnown, mustKnow } from "../threading/_core/trust.ts";

/**
 * {@linkcode decode}, but for unknown modules. An error of a class of theirs arrives as one of a base class. The bytes are read before
 * this returns.
 *
 * @throws {PicklingError} also when a function or an object is of a module that is not known here.
 */
export async function decodeWarily(bytes: Uint8Array): Promise<unknown> {
  if (!hasObjects(bytes)) return await decode(bytes);
  const parcel = deserialize(bytes.subarray(1)) as Parcel;
  for (const special of parcel.specials ?? []) check(special);
  return await unpack(parcel);
}

function check(special: Special): void {
  switch (special.kind) {
    case "function":
    case "instance":
      return modulesOf(special.reference).forEach((url) => mustKnow(url, true));
    case "shareable":
      return mustKnow(special.module, true);
    case "error": {
      const classes = special.form.classes.filter((each) => modulesIn(each).every(isKnown));
      Object.assign(special, { form: { ...special.form, classes } });
    }
  }
}

function modulesIn(form: ErrorClassForm): readonly string[] {
  if (form.how === "builtin") return [];
  return form.how === "registered" ? [form.module] : modulesOf(form.reference);
}
