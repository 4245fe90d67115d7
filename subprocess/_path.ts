/**
 * Strings and file URLs.
 *
 * @module
 */

/**
 * The string, or the path of the file URL.
 *
 * @throws {TypeError} when it is neither.
 * @throws {RangeError} when it holds a NUL character, which no program could be given.
 */
export function pathOf(value: string | URL, name: string, what: string): string {
  if (value instanceof URL) {
    if (value.protocol !== "file:") {
      throw new TypeError(`Cannot call ${what}: ${name} must be a file URL, got ${value.href}`);
    }
    return pathOf(fromFileUrl(value), name, what);
  }
  if (typeof value !== "string") {
    throw new TypeError(
      `Cannot call ${what}: ${name} must be a string or a file URL, got ${
        value === null ? "null" : typeof value
      }`,
    );
  }
  if (value.includes("\0")) {
    throw new RangeError(`Cannot call ${what}: ${name} must not hold a NUL character`);
  }
  return value;
}

function fromFileUrl(url: URL): string {
  const path = decodeURIComponent(url.pathname.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"));
  if (Deno.build.os !== "windows") return path;
  const local = path.replaceAll("/", "\\").replace(/^\\([A-Za-z]:)/, "$1");
  return url.hostname === "" ? local : `\\\\${url.hostname}${local}`;
}
