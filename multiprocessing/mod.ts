/**
 * Processes that run exported functions of your modules, and what they share: connections, queues, locks, memory, values.
 *
 * | for | there is |
 * | --- | -------- |
 * | running a function in a process of its own | {@linkcode Process} |
 * | messages between processes | {@linkcode Pipe}; `Listener` and `Client` in `./multiprocessing/connection` |
 *
 * The other process imports the module that exports the function, with `import.meta.main` false there; so a script that starts
 * processes when it is run guards that with `if (import.meta.main)`.
 *
 * Needs `--allow-run`, `--allow-read`, `--allow-write` and `--allow-net`; what lies in shared memory also needs `--allow-ffi`.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html | multiprocessing}.
 *
 * @example A process and its answer
 * ```ts no-eval
 * import { Pipe, Process } from "@batteries/concurrent/multiprocessing";
 * import type { Connection } from "@batteries/concurrent/multiprocessing/connection";
 *
 * export async function work(end: Connection<number[]>) {
 *   await end.send([42]);
 * }
 *
 * if (import.meta.main) {
 *   const [here, there] = Pipe<number[]>();
 *   await using process = new Process({ target: work, args: [there] });
 *   process.start();
 *   console.log(await here.recv());
 *   await process.join();
 * }
 * ```
 *
 * @module
 */
export {
  activeChildren,
  cpuCount,
  currentProcess,
  freezeSupport,
  parentProcess,
  type Permissions,
  Process,
  type ProcessOptions,
  type Sentinel,
} from "./process.ts";
export { Connection, Pipe } from "./_connection.ts";
export { getLogger, type Logger, type LogLevel, logToStderr } from "./logging.ts";
export {
  AuthenticationError,
  BufferTooShort,
  EOFError,
  ProcessError,
  TimeoutError,
} from "./errors.ts";
export { getState, PicklingError, setState, task } from "../threading/_core/mod.ts";
export type { WaitOptions } from "../threading/_core/mod.ts";
