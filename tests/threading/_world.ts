/** `threading` as the contracts of tests/contracts see it. */

import {
  BrokenBarrierError,
  Thread,
  ThreadError,
  TimeoutError,
} from "@batteries/concurrent/threading";
import type { Board, Party, World } from "../contracts/world.ts";

/** See the head of this file. */
export const threads: World = {
  name: "threading",
  board: (length): Board => new Int32Array(new SharedArrayBuffer(length * 4)),
  start<A extends unknown[]>(fn: (...args: A) => unknown, ...args: A): Party {
    const thread = new Thread({ target: fn, args, daemon: true });
    thread.start();
    return {
      join: (options) => thread.join(options),
      joinSync: (options) => thread.joinSync(options),
      isAlive: () => thread.isAlive(),
      status: () =>
        Deno.build.os === "linux" && thread.nativeId !== null
          ? `/proc/self/task/${thread.nativeId}/stat`
          : undefined,
    };
  },
  errors: {
    notHeld: ThreadError,
    notOwner: ThreadError,
    withoutLock: ThreadError,
    timeout: TimeoutError,
    broken: BrokenBarrierError,
  },
};
