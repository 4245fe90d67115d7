/**
 * How a priority queue orders: by default, or as it is told.
 *
 * @module
 */

/**
 * `compare`, whose answers are looked at. What is no number orders nothing: every item would be equal to every other, and come out
 * in some order or other without a word.
 *
 * @throws {TypeError} when called, for an answer that is no number, or `NaN`.
 */
export function checked<T>(compare: (a: T, b: T) => number): (a: T, b: T) => number {
  return (a, b) => {
    const order: unknown = compare(a, b);
    if (typeof order === "number" && order === order) return order;
    throw new TypeError(
      `Cannot order the items of a PriorityQueue: compare must return a number, negative when the first item comes out first, got ${
        isThenable(order) ? "a promise" : describe(order)
      }`,
    );
  };
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/**
 * Compares numbers (bigints among them), strings, dates, and arrays of these element by element, a shorter array first.
 *
 * @throws {TypeError} for anything else, and for two of different kinds.
 */
export function naturalOrder(a: unknown, b: unknown): number {
  const kind = kindOf(a);
  if (kind === undefined || kind !== kindOf(b)) throw unordered(a, b);
  switch (kind) {
    case "array": {
      const [left, right] = [a as unknown[], b as unknown[]];
      const length = Math.min(left.length, right.length);
      for (let i = 0; i < length; i++) {
        // As Python does: what is the same needs no order.
        if (left[i] === right[i]) continue;
        const order = naturalOrder(left[i], right[i]);
        if (order !== 0) return order;
      }
      return left.length - right.length;
    }
    default:
      return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
  }
}

function kindOf(value: unknown): string | undefined {
  switch (typeof value) {
    case "number":
      return Number.isNaN(value) ? undefined : "number";
    case "bigint":
      return "number";
    case "string":
      return "string";
    case "object":
      if (Array.isArray(value)) return "array";
      if (value instanceof Date && !Number.isNaN(value.getTime())) return "date";
  }
  return undefined;
}

function unordered(a: unknown, b: unknown): TypeError {
  const [left, right] = [describe(a), describe(b)];
  const what = left === right ? left : `${left} with ${right}`;
  return new TypeError(
    `Cannot order ${what}: a PriorityQueue orders numbers, strings, dates, and arrays of them; give it a compare function for other items`,
  );
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (value instanceof Date) return kindOf(value) === undefined ? "an invalid date" : "a date";
  if (typeof value === "number" && Number.isNaN(value)) return "NaN";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
