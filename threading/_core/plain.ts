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

interface V8 {
  Serializer: new () => {
    writeHeader(): void;
    writeValue(value: unknown): void;
    releaseBuffer(): Uint8Array;
  };
  Deserializer: new (bytes: Uint8Array) => { readHeader(): void; readValue(): unknown };
}

let loaded: V8 | undefined;

/** Loaded at first use: it costs a starting program 8 ms. */
function v8(): V8 {
  return loaded ??= (globalThis as unknown as {
    process: { getBuiltinModule(name: string): V8 };
  }).process.getBuiltinModule("node:v8");
}

/**
 * A value in the engine's own serialization. Not `v8.serialize`, whose arrays arrive as views over the message that they came in, and
 * which takes three times as long for a small value.
 */
export function serialize(value: unknown): Uint8Array {
  const serializer = new (v8().Serializer)();
  serializer.writeHeader();
  serializer.writeValue(value);
  return serializer.releaseBuffer();
}

/** The value of what {@linkcode serialize} gave; nothing of it lies in `bytes`. */
export function deserialize(bytes: Uint8Array): unknown {
  const deserializer = new (v8().Deserializer)(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}
