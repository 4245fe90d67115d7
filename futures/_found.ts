/**
 * What of a transfer list belongs to which call of a `map`.
 *
 * @module
 */
/** Those of `wanted` that are in `values`, however deep, where structured clone finds them. */
export function found(wanted: readonly Transferable[], values: unknown[]): Transferable[] {
  const left = new Set<unknown>(wanted);
  const here: Transferable[] = [];
  const seen = new Set<unknown>();
  const ahead: unknown[] = [...values];
  while (ahead.length > 0 && left.size > 0) {
    const value = ahead.pop();
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    if (left.delete(value)) here.push(value as Transferable);
    else if (ArrayBuffer.isView(value)) ahead.push(value.buffer);
    else if (value instanceof Map) { for (const entry of value) ahead.push(...entry); }
    else if (value instanceof Set) { for (const item of value) ahead.push(item); }
    else if (Array.isArray(value)) { for (const item of value) ahead.push(item); }
    else for (const item of Object.values(value)) ahead.push(item);
  }
  return here;
}
