/** The locks of `multiprocessing` among the threads of one process, as the contracts of tests/contracts see them. */

import type { World } from "../contracts/world.ts";
import { threads } from "../threading/_world.ts";

/** See the head of this file. */
export const inThreads: World = { ...threads, name: "multiprocessing", inOrder: false };
