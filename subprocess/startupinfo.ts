/**
 * `STARTUPINFO`, the Windows-only description of the child's window.
 *
 * @module
 */

/** What a {@linkcode STARTUPINFO} is made from. */
export interface StartupInfoOptions {
  /** A sum of `STARTF_…` constants: which of the other fields count. 0 by default. */
  dwFlags?: number;
  /** The handle of the child's standard input; `null` by default. */
  hStdInput?: number | null;
  /** The handle of the child's standard output; `null` by default. */
  hStdOutput?: number | null;
  /** The handle of the child's standard error; `null` by default. */
  hStdError?: number | null;
  /** How the window is shown, such as `SW_HIDE`. 0 by default. */
  wShowWindow?: number;
  /** Further attributes, such as `{ handle_list: [] }`. */
  lpAttributeList?: Record<string, unknown>;
}

/**
 * How Windows shows the child's window. It can be made and read everywhere; handing it to `Popen` is a `RangeError` on the other
 * platforms, as in Python, and a `Deno.errors.NotSupported` on Windows for whatever Deno cannot pass on (Deno starts a child without
 * such a description).
 *
 * Stands for `subprocess.STARTUPINFO` ("Windows Popen Helpers").
 *
 * @example
 * ```ts
 * import { STARTF_USESHOWWINDOW, STARTUPINFO, SW_HIDE } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * const info = new STARTUPINFO({ dwFlags: STARTF_USESHOWWINDOW });
 * assertEquals([info.dwFlags, info.wShowWindow, info.hStdInput], [1, SW_HIDE, null]);
 * ```
 */
export class STARTUPINFO {
  /** A sum of `STARTF_…` constants. */
  dwFlags: number;
  /** The handle of the child's standard input. */
  hStdInput: number | null;
  /** The handle of the child's standard output. */
  hStdOutput: number | null;
  /** The handle of the child's standard error. */
  hStdError: number | null;
  /** How the window is shown. */
  wShowWindow: number;
  /** Further attributes. */
  lpAttributeList: Record<string, unknown>;

  /** Makes a description; whatever is left out has Python's default. */
  constructor(options: StartupInfoOptions = {}) {
    this.dwFlags = options.dwFlags ?? 0;
    this.hStdInput = options.hStdInput ?? null;
    this.hStdOutput = options.hStdOutput ?? null;
    this.hStdError = options.hStdError ?? null;
    this.wShowWindow = options.wShowWindow ?? 0;
    this.lpAttributeList = { handle_list: [], ...options.lpAttributeList };
  }
}
