/**
 * The mutex of the npm package `multithreading`, uncontended: nanoseconds for taking and giving it back, blocking ("sync") or awaited.
 * In a process of its own, since the package replaces a global function.
 */
import { Mutex } from "npm:multithreading@0.3.52";
import { asyncLoop, loop, takeTurns } from "../_measure.ts";

const mutex = new Mutex();
const [rounds] = Deno.args[0] === "sync"
  ? await takeTurns([
    loop("mutex.blockingLock()[Symbol.dispose]();", { mutex }, 200_000),
  ])
  : await takeTurns([
    asyncLoop("(await mutex.lock())[Symbol.dispose]();", { mutex }, 200_000),
  ]);
console.log(JSON.stringify(rounds));
Deno.exit(0);
