/** Processes, as the contracts of tests/contracts see them. */

import { Process, ProcessError, TimeoutError } from "@batteries/concurrent/multiprocessing";
import type { Board as Words, Party, World } from "../contracts/world.ts";
import { Board, party } from "../fixtures/multiprocessing/board.ts";

const boards = new WeakMap<Words, Board>();

/** See the head of this file. */
export const processes: World = {
  name: "multiprocessing",
  inOrder: false,
  board(length): Words {
    const board = Board.make(length);
    const { words } = board.place;
    boards.set(words, board);
    return words;
  },
  start<A extends unknown[]>(fn: (...args: A) => unknown, ...args: A): Party {
    const sent = args.map((arg) => arg instanceof Int32Array ? boards.get(arg) : arg);
    const process = new Process({ target: party, args: [fn, ...sent] as never, daemon: true });
    process.start();
    return {
      join: (options) => process.join(options),
      joinSync() {
        throw new Error("A process cannot be joined so");
      },
      isAlive: () => process.isAlive(),
      status: () => Deno.build.os === "linux" ? `/proc/${process.pid}/stat` : undefined,
    };
  },
  errors: {
    notHeld: ProcessError,
    notOwner: ProcessError,
    withoutLock: ProcessError,
    timeout: TimeoutError,
    broken: ProcessError,
  },
};
