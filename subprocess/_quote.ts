/**
 * One command line from many arguments, by the rules with which Windows programs split it again.
 *
 * @module
 */

/**
 * Joins arguments as the Microsoft C runtime splits them: an argument that is empty or has a blank is put in double quotes, a
 * double quote inside is escaped by a backslash, and backslashes are doubled only where they stand before a double quote.
 *
 * It is **not** a quoting for a POSIX shell, nor for `cmd.exe`'s own characters (`&`, `|`, `%` …): never use it to build the
 * command line of `shell: true` from foreign words. Stands for `subprocess.list2cmdline` ("Converting an argument sequence to a
 * string on Windows").
 *
 * @throws {TypeError} when an argument is not a string.
 * @example
 * ```ts
 * import { list2cmdline } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(list2cmdline(["copy", "a file", "b"]), 'copy "a file" b');
 * ```
 */
export function list2cmdline(args: readonly string[]): string {
  return args.map((arg, i) => {
    if (typeof arg !== "string") {
      throw new TypeError(
        `Cannot call list2cmdline: item ${i} must be a string, got ${typeof arg}`,
      );
    }
    const escaped = arg.replace(/(\\*)"/g, '$1$1\\"');
    if (arg !== "" && !/[ \t]/.test(arg)) return escaped;
    return `"${escaped.replace(/\\+$/, "$&$&")}"`;
  }).join(" ");
}
