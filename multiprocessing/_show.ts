/**
 * How `console.log` and `Deno.inspect` show this package's objects: their state is private, and they would be empty braces.
 *
 * Shown is what an object knows by itself: nobody is waited for, and no server is asked.
 *
 * @module
 */

type Inspect = (value: unknown, options?: unknown) => string;

/** Shows instances of `shown`, and of its subclasses, with what `fieldsOf` tells of them and their own public fields. */
export function showAs<T extends object>(
  shown: { readonly prototype: T },
  fieldsOf: (instance: T) => object,
): void {
  Object.defineProperty(shown.prototype, Symbol.for("Deno.customInspect"), {
    value(this: T, inspect: Inspect, options: unknown): string {
      return `${this.constructor.name} ${inspect({ ...toldBy(this, fieldsOf), ...this }, options)}`;
    },
    configurable: true,
    enumerable: false,
    writable: true,
  });
}

/** Whoever prints something wants no error for it: what cannot tell, a prototype or what has lost its memory, has nothing to tell. */
function toldBy<T>(instance: T, fieldsOf: (instance: T) => object): object {
  try {
    return fieldsOf(instance);
  } catch {
    return {};
  }
}
