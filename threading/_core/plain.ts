/**
 * Which values JSON carries exactly, and the engine's own serialization: what the codecs of queues and of processes have in common.
 *
 * @module
 */
import { isProxy } from "./proxies.ts";

/** Objects of a value that are compared one by one to see that none comes twice. */
const FEW = 24;
/** How deep a value may go. */
const DEEP = 8;
/** Items of an array, and so of a value, above which the engine's serialization is the better way. */
const LONG = 256;

const seen: object[] = [];

/**
 * The JSON text of `value`, or `undefined` when JSON would not carry it exactly, or when it is so large that the engine's
 * serialization is the better way.
 */
export function jsonOf(value: object): string | undefined {
  seen.length = 0;
  return isJsonObject(value, 0) ? JSON.stringify(value) : undefined;
}

const { prototype: ObjectPrototype } = Object;
const { prototype: ArrayPrototype } = Array;

function isJsonObject(value: object, depth: number): boolean {
  if (seen.length === FEW || depth > DEEP || seen.includes(value) || isProxy(value)) return false;
  seen.push(value);
  const proto = Object.getPrototypeOf(value);
  if (proto === ArrayPrototype) return isJsonArray(value as unknown[], depth);
  // What has a callee may be an `arguments`, which does not travel.
  if (proto !== ObjectPrototype || "callee" in value || Object.hasOwn(value, "__proto__")) {
    return false;
  }
  for (const key in value) {
    if (!isJson((value as Record<string, unknown>)[key], depth)) return false;
  }
  return true;
}

function isJsonArray(array: unknown[], depth: number): boolean {
  const { length } = array;
  if (length > LONG || Object.keys(array).length !== length) return false;
  for (let i = 0; i < length; i++) if (!isJson(array[i], depth)) return false;
  return true;
}

function isJson(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && (value !== 0 || 1 / value > 0);
    case "object":
      return value === null || isJsonObject(value, depth + 1);
    default:
      return false;
  }
}

/** The engine's own serialization: arrays arrive in memory of their own, nothing lies in the message. */
interface Serialization {
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}

let found: Serialization | undefined;

/**
 * The runtime's own way to it, which is not promised, or else `node:v8`. That would do as well, but the first touch of `process`, through
 * which it is had, costs a starting program 40 ms. Not `v8.serialize`, whose arrays arrive as views over the message.
 */
function serialization(): Serialization {
  return found ??= ofRuntime() ?? ofNode();
}

function ofRuntime(): Serialization | undefined {
  const deno = Deno as unknown as Record<symbol, { core?: Partial<Serialization> } | undefined> & {
    internal?: symbol;
  };
  const { serialize, deserialize } = deno.internal === undefined
    ? {}
    : deno[deno.internal]?.core ?? {};
  if (typeof serialize !== "function" || typeof deserialize !== "function") return undefined;
  try {
    const arrived = deserialize(serialize({ list: new Uint8Array([7]), no: undefined }));
    const { list } = arrived as { list: Uint8Array };
    return list[0] === 7 && list.buffer.byteLength === 1 && "no" in (arrived as object)
      ? { serialize: (value) => serialize(value), deserialize: (bytes) => deserialize(bytes) }
      : undefined;
  } catch {
    return undefined;
  }
}

interface V8 {
  Serializer: new () => {
    writeHeader(): void;
    writeValue(value: unknown): void;
    releaseBuffer(): Uint8Array;
  };
  Deserializer: new (bytes: Uint8Array) => { readHeader(): void; readValue(): unknown };
}

function ofNode(): Serialization {
  const { Serializer, Deserializer } = (globalThis as unknown as {
    process: { getBuiltinModule(name: string): V8 };
  }).process.getBuiltinModule("node:v8");
  return {
    serialize(value) {
      const serializer = new Serializer();
      serializer.writeHeader();
      serializer.writeValue(value);
      return serializer.releaseBuffer();
    },
    deserialize(bytes) {
      const deserializer = new Deserializer(bytes);
      deserializer.readHeader();
      return deserializer.readValue();
    },
  };
}

/** A value in the engine's own serialization. */
export function serialize(value: unknown): Uint8Array {
  return serialization().serialize(value);
}

/** The value of what {@linkcode serialize} gave. */
export function deserialize(bytes: Uint8Array): unknown {
  return serialization().deserialize(bytes);
}
