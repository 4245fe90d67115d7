/**
 * How `console.log` and `Deno.inspect` show this package's objects (their state is private: the runtime would print empty braces),
 * and what error messages call a value.
 *
 * @module
 */

type Inspect = (value: unknown, options?: unknown) => string;

/** Shows instances of `shown` as `Name {fields}`, where `fieldsOf` tells the fields. */
export function showAs<T extends object>(
  shown: { readonly name: string; readonly prototype: T },
  fieldsOf: (instance: T) => unknown,
): void {
  Object.defineProperty(shown.prototype, Symbol.for("Deno.customInspect"), {
    value(this: T, inspect: Inspect, options: unknown): string {
      return `${shown.name} ${inspect(fieldsOf(this), options)}`;
    },
    configurable: true,
    enumerable: false,
    writable: true,
  });
}

/** What a value is called in an error message. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") {
    return typeof value === "undefined" ? "undefined" : `a ${typeof value}`;
  }
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : "an object";
}
