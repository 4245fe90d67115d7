/**
 * Frames between the main thread and its threads, for a package above: bytes that a module of that package takes on the other side.
 * `bootstrap.ts` carries them. This file imports nothing: what uses it need not load the engine of threads where there are none.
 *
 * Guarantees
 * - Frames of one sender arrive in order, or, when the receiver has ended, not at all.
 * - They are taken in a turn of the event loop of its own, never in the middle of a blocking call, although a blocked main thread goes
 *   on serving its threads.
 * - The main thread learns of the end of every thread that has sent or been sent frames, after the last of them.
 *
 * @module
 */

/** What a module that takes frames exports. */
export interface FrameTaker {
  /** Takes a frame, whose memory is its own; on the main thread, of the thread with that identifier. */
  takeFrame(frame: Uint8Array<ArrayBuffer>, ident: number): void;
  /** On the main thread: the thread has ended. */
  threadOver(ident: number): void;
}

/** How frames are carried, once there are threads. */
export interface Carrier {
  /** From a thread to the main thread, for the module of that URL. Lost when the thread has ended. */
  up(module: string, frame: Uint8Array<ArrayBuffer>): void;
  /** From the main thread to the thread with that identifier. Lost when it has ended. */
  down(ident: number, module: string, frame: Uint8Array<ArrayBuffer>): void;
  /** Whether the main thread knows a running thread of that identifier. */
  reaches(ident: number): boolean;
  /** Holds the event loop of the main thread. Counted. */
  hold(): void;
  unhold(): void;
}

let carried: Carrier | undefined;

/** The carrier; `undefined` where no thread was started yet. */
export function carrier(): Carrier | undefined {
  return carried;
}

/** Frames can be carried from now on. */
export function carryBy(carrier: Carrier): void {
  carried ??= carrier;
}

type Act = (taker: FrameTaker) => void;

/** What waits for a module, by its URL. */
const lines = new Map<string, Act[]>();
const takers = new Map<string, FrameTaker>();

/** Has the module do something, in order. */
export function hand(module: string, act: Act): void {
  const line = lines.get(module);
  if (line !== undefined) return void line.push(act);
  lines.set(module, [act]);
  work(module);
}

async function work(module: string): Promise<void> {
  const line = lines.get(module)!;
  try {
    let taker = takers.get(module);
    if (taker === undefined) takers.set(module, taker = await import(module) as FrameTaker);
    else await undefined;
    for (let act = line.shift(); act !== undefined; act = line.shift()) act(taker);
  } finally {
    lines.delete(module);
  }
}

/** From this length on, memory is given away instead of copied. */
const LONG = 16 * 1024;

/** What of a frame is to be transferred. */
export function transferOf({ buffer, byteLength }: Uint8Array<ArrayBuffer>): ArrayBuffer[] {
  return byteLength >= LONG && byteLength === buffer.byteLength ? [buffer] : [];
}
