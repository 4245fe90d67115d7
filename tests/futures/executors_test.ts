/** The contract of executors, over threads and over processes. */

import {
  InterpreterPoolExecutor,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "@batteries/concurrent/futures";
import { executorContract, type Wanted } from "../contracts/executor.ts";

/** As the options of every executor have it. */
const options = ({ maxWorkers, initializer, initargs }: Wanted) => ({
  maxWorkers,
  initializer: initializer as (...args: unknown[]) => unknown,
  initargs,
});

executorContract("ThreadPoolExecutor", (wanted) => new ThreadPoolExecutor(options(wanted)));
executorContract(
  "InterpreterPoolExecutor",
  (wanted) => new InterpreterPoolExecutor(options(wanted)),
);
executorContract("ProcessPoolExecutor", (wanted) => new ProcessPoolExecutor(options(wanted)));
executorContract(
  "ProcessPoolExecutor with fewer permissions",
  (wanted) =>
    new ProcessPoolExecutor({
      ...options(wanted),
      permissions: { read: true, write: true },
    }),
  { blocks: false },
);
