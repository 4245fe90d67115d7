/**
 * Values as bytes for another machine: the codec of processes, in which what names a module names it by its alias.
 *
 * Guarantees: decoding imports no module but those that the one who decodes has named himself, and no object of this machine (a lock, a
 * queue) leaves it. Errors always travel; their class is looked for among the engine's, this library's and the named modules', and the
 * nearest base is taken where it is none of them.
 *
 * Relies on: both sides running the same version of Deno's serialization, and on the bytes coming from somebody who may submit.
 *
 * @module
 */
import {
  decodeSync,
  deserialize,
  discardEncoded,
  encode,
  type EncodedError,
  encodeError,
  type ErrorClassForm,
  hasObjects,
  type Parcel,
  PicklingError,
  serialize,
  type Special,
} from "../threading/_core/mod.ts";
import type { Arrived } from "./_decode.ts";
import type { TaskModules } from "./_nats_names.ts";

// deno-lint-ignore ban-types -- classes too
type AnyFunction = Function;

/** The tag that `encode` begins a parcel with. */
const PARCEL = 12;
/** A list of nothing but numbers, eight bytes each, the lower first: what `map` over numbers is made of. No tag of `encode`. */
const NUMBERS = 64;
/** Numbers from which that is the quicker way. */
const MANY = 16;

const LIBRARY = new URL("../", import.meta.url).href;
/** What stands for its URL, which is another on each machine. */
const OURS = "batteries:";
/** The modules whose errors arrive as what they are. */
const OUR_ERRORS: ReadonlySet<string> = new Set([
  "futures/_broken_process_pool.ts",
  "futures/_nats_errors.ts",
  "futures/errors.ts",
  "multiprocessing/errors.ts",
  "queue/errors.ts",
  "threading/_core/errors.ts",
]);

/**
 * The bytes of a value.
 *
 * @throws {PicklingError} when something in it cannot leave the machine, or the other side has no name for its module.
 */
export function encodeFor(
  modules: TaskModules,
  value: unknown,
  what: string,
  root: string,
  door: AnyFunction,
): Uint8Array<ArrayBuffer> {
  const bytes = encode(value, what, door, { root });
  if (!hasObjects(bytes)) return bytes;
  try {
    return bytesOf(outward(modules, deserialize(bytes.subarray(1)) as Parcel, `${what} ${root}`));
  } catch (error) {
    discardEncoded(bytes);
    throw error;
  }
}

/** {@linkcode encodeFor} of a list that this library has made: nothing hangs on it but its items. */
export function encodeListFor(
  modules: TaskModules,
  list: unknown[],
  what: string,
  root: string,
  door: AnyFunction,
): Uint8Array<ArrayBuffer> {
  return numbersIn(list) ?? encodeFor(modules, list, what, root, door);
}

function numbersIn(list: unknown[]): Uint8Array<ArrayBuffer> | undefined {
  const { length } = list;
  if (length < MANY) return undefined;
  for (let i = 0; i < length; i++) if (typeof list[i] !== "number") return undefined;
  const bytes = new Uint8Array(1 + 8 * length);
  bytes[0] = NUMBERS;
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < length; i++) view.setFloat64(1 + 8 * i, list[i] as number, true);
  return bytes;
}

function numbersFrom(bytes: Uint8Array): number[] {
  if (bytes.length % 8 !== 1) throw malformed();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const list: number[] = [];
  for (let at = 1; at < bytes.length; at += 8) list.push(view.getFloat64(at, true));
  return list;
}

/** The bytes of what was thrown. Never fails. */
export function encodeErrorFor(modules: TaskModules, thrown: unknown, from: string): Uint8Array {
  const encoded = encodeError(thrown, { from, away: true });
  try {
    return bytesOf(outward(modules, encoded, "throw"));
  } catch {
    // Something of a named module that has no name: what hangs on the error stays behind.
    const bare = bareError(thrown);
    return bytesOf(outward(modules, encodeError(bare, { from, away: true }), "throw"));
  }
}

function bareError(thrown: unknown): Error {
  const error = thrown instanceof Error
    ? thrown
    : new Error("Something was thrown that cannot travel");
  const bare = new Error(error.message);
  bare.name = error.name;
  bare.stack = error.stack;
  return bare;
}

function bytesOf(parcel: Parcel): Uint8Array<ArrayBuffer> {
  const body = serialize(parcel);
  const bytes = new Uint8Array(1 + body.length);
  bytes[0] = PARCEL;
  bytes.set(body, 1);
  return bytes;
}

/**
 * What has come, for `received` and its kin, which import what is needed; or the value itself, where nothing is needed.
 *
 * @throws {PicklingError} when the bytes are no value, or name what this side has no name for.
 */
export function arrivedIn(modules: TaskModules, bytes: Uint8Array): { value: unknown } | Arrived {
  if (bytes[0] === NUMBERS) return { value: numbersFrom(bytes) };
  return hasObjects(bytes) ? { parcel: parcelIn(modules, bytes) } : { value: decodeSync(bytes) };
}

/** An error that has come. */
export function errorIn(modules: TaskModules, bytes: Uint8Array): EncodedError {
  return parcelIn(modules, bytes);
}

function parcelIn(modules: TaskModules, bytes: Uint8Array): Parcel {
  let parcel: Parcel | null;
  try {
    parcel = deserialize(bytes.subarray(1)) as Parcel | null;
  } catch (cause) {
    throw malformed(cause);
  }
  if (typeof parcel !== "object" || parcel === null) throw malformed();
  return inward(modules, parcel);
}

function malformed(cause?: unknown): PicklingError {
  return new PicklingError(
    "Cannot decode a value: the bytes are not what this library sends; make sure that both sides run the same version",
    { cause },
  );
}

/** A parcel for the wire. It is changed in its place: its parts hold on to each other. */
function outward(modules: TaskModules, parcel: Parcel, what: string): Parcel {
  for (const special of parcel.specials ?? []) {
    switch (special.kind) {
      case "shareable":
        throw new PicklingError(
          `Cannot ${what}: there is a ${special.name} in it, which belongs to this machine; send what it holds`,
        );
      case "function":
      case "instance": {
        const reference = modules.outward(special.reference);
        if (reference === undefined) {
          const { how } = special.reference;
          const url = how === "search" ? special.reference.modules[0] : special.reference.module;
          throw new PicklingError(
            `Cannot ${what}: there is ${
              special.kind === "function" ? "a function" : "an instance of a class"
            } of ${url} in it, a module that the other side has no name for; name it in tasks on both sides`,
          );
        }
        change(special, { reference });
        break;
      }
      case "error":
        change(special.form, {
          classes: special.form.classes.flatMap((each) => classOutward(modules, each)),
        });
    }
  }
  return parcel;
}

function classOutward(modules: TaskModules, form: ErrorClassForm): ErrorClassForm[] {
  if (form.how === "builtin") return [form];
  if (form.how === "reference") {
    const reference = modules.outward(form.reference);
    return reference === undefined ? [] : [{ how: "reference", reference }];
  }
  const path = form.module.startsWith(LIBRARY) ? form.module.slice(LIBRARY.length) : "";
  return OUR_ERRORS.has(path)
    ? [{ ...form, module: OURS + path }]
    : [{ how: "builtin", name: "Error" }];
}

/** A parcel from the wire: nothing is taken on trust. */
function inward(modules: TaskModules, parcel: Parcel): Parcel {
  const { specials } = parcel;
  if (specials === undefined) return parcel;
  if (!Array.isArray(specials)) throw malformed();
  for (const special of specials as (Special | null)[]) {
    switch (special?.kind) {
      case "entries":
      case "link":
        break;
      case "function":
      case "instance": {
        const reference = modules.inward(Object(special.reference));
        if (reference === undefined) {
          throw new PicklingError(
            "Cannot receive a value: it names a module that has no name here; name it in tasks on both sides",
          );
        }
        change(special, { reference });
        break;
      }
      case "error": {
        const { form } = special;
        if (!Array.isArray(form?.classes)) throw malformed();
        change(form, {
          classes: (form.classes as ErrorClassForm[]).flatMap((each) => classInward(modules, each)),
        });
        break;
      }
      default:
        throw malformed();
    }
  }
  return parcel;
}

function classInward(modules: TaskModules, form: ErrorClassForm | null): ErrorClassForm[] {
  switch (form?.how) {
    case "builtin":
      return typeof form.name === "string" ? [{ how: "builtin", name: form.name }] : [];
    case "reference": {
      const reference = modules.inward(Object(form.reference));
      return reference === undefined ? [] : [{ how: "reference", reference }];
    }
    case "registered": {
      const { name, module } = form;
      if (typeof name !== "string" || typeof module !== "string") return [];
      const path = module.startsWith(OURS) ? module.slice(OURS.length) : "";
      return OUR_ERRORS.has(path) ? [{ how: "registered", name, module: LIBRARY + path }] : [];
    }
    default:
      return [];
  }
}

function change<T extends object>(part: T, by: Partial<T>): void {
  Object.assign(part, by);
}
