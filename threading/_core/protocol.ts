/**
 * Every message between the main thread and its workers. All other news go through words in shared memory; see README.md.
 *
 * @module
 */
import type { KillableOptions } from "./killable.ts";
import type { Life } from "./life.ts";
import type { ThreadKey } from "./threads.ts";

/** Something for a worker to run. */
export interface Job {
  /** URL of the module whose export `run` takes the message. */
  readonly handler: string;
  /** Whatever structured clone carries. */
  readonly message: unknown;
  /** The thread that the worker is while it runs the job. */
  readonly thread: ThreadKey;
  /** Whether the program may end before the job does. */
  readonly daemon: boolean;
  /** Present where the worker must be killable. */
  readonly killable?: KillableOptions;
}

/** A message between agents, outside of jobs. */
export interface Letter {
  /** URL of the module whose export `receive` takes the message, the agent that sent it, and `returned`. */
  readonly handler: string;
  readonly message: unknown;
  /** The agent that is meant. */
  readonly to: number;
  readonly from: number;
  /** It comes back to its sender: the other agent has ended. */
  readonly returned?: boolean;
}

/** What the main thread sends to a worker. */
export type ToWorker =
  /** The first message: where the worker stands. */
  | {
    readonly kind: "place";
    readonly ground: SharedArrayBuffer;
    readonly agent: number;
    readonly mainModule: string | undefined;
    /** What {@linkcode Keyed} messages of this worker carry. */
    readonly key: string;
    /** Whether the worker may be killed. */
    readonly killable: boolean;
  }
  /** A job, the way to the main thread while it runs, and what the process is. */
  | { readonly kind: "job"; readonly job: Job; readonly port: MessagePort; readonly life: Life }
  | { readonly kind: "letter"; readonly letter: Letter }
  /** For a module of a package above, if the worker is that thread: see `frames.ts`. */
  | {
    readonly kind: "frame";
    readonly ident: number;
    readonly module: string;
    readonly frame: Uint8Array<ArrayBuffer>;
  }
  /** There are enough parked workers: end. */
  | { readonly kind: "retire" };

/**
 * What a worker sends to the main thread: through the job's port, which `A_REQUESTS` tells of, so that it can be read while the main
 * thread is blocked; between jobs as a message of the worker.
 */
export type ToMain =
  | { readonly kind: "job"; readonly job: Job }
  | { readonly kind: "letter"; readonly letter: Letter }
  /** For a module of a package above: see `frames.ts`. */
  | { readonly kind: "frame"; readonly module: string; readonly frame: Uint8Array<ArrayBuffer> }
  /** End a killable job, whatever it does. */
  | { readonly kind: "kill"; readonly ident: number }
  /** Somebody waits for the main thread's end. */
  | { readonly kind: "joins main" }
  /** Keep this until somebody asks for it by its number. `moves` are parts of it. */
  | {
    readonly kind: "deposit";
    readonly id: number;
    readonly value: unknown;
    readonly moves: readonly Transferable[];
  }
  /** Somebody asks: the answer is `[id, value]` on the port, or `[id]` when it is not there. */
  | { readonly kind: "withdraw"; readonly id: number; readonly keep: boolean }
  /** Nobody will ask for it: forget it. */
  | { readonly kind: "discard"; readonly id: number };

/** A message between jobs, which the user's code in the worker could post as well: the key tells them apart. */
export interface Keyed {
  readonly key: string | undefined;
  readonly message: ToMain;
}
