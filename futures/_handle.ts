/**
 * A thread pool seen from another thread, such as one of its own workers: calls go to the thread that has the pool, whose event loop,
 * or whose blocking wait for a future, puts them into the queue; the answers come straight back.
 *
 * That thread also sees when calls wait for each other in a circle: the pool is told which call waits for which.
 *
 * @module
 */
import { copyContext } from "../contextvars/mod.ts";
import { isContextEmpty } from "../contextvars/context.ts";
import { entriesOf } from "../threading/_context.ts";
import type { EncodedError, Ended } from "../threading/_core/mod.ts";
import { getIdent } from "../threading/mod.ts";
import { type Arrived, received, receivedNow, receivedSoon } from "./_decode.ts";
import { inboxOfThread } from "./_inbox.ts";
import { FAILED, openLetter, resultIn, sealArgs, sealedLetter } from "./_payload.ts";
import {
  type Call,
  type Door,
  ERROR,
  type Mail,
  RESULT,
  send,
  STOP,
  VISIT,
  type Visit,
  WAITS,
} from "./_protocol.ts";
import { current, depositOf } from "./_sending.ts";
import type { RunOptions } from "./_terms.ts";
import { RuntimeError } from "./errors.ts";
import { bind, conclude, Future, whenDone } from "./future.ts";

type AnyFunction = (...args: never[]) => unknown;

/** Pools that know where answers for this isolate go, by home and number. */
const introduced = new Set<string>();
/** The isolate's number, to them: that of its first thread that had calls for one. An isolate may have many threads, one after another. */
let isolate: number | undefined;

/** See the head of this file. */
export class Handle {
  readonly door: Door;
  readonly #inbox = inboxOfThread();

  constructor(door: Door) {
    this.door = door;
  }

  /** As the pool's own. */
  submit(
    fn: AnyFunction,
    args: unknown[],
    chunk: number,
    door: AnyFunction,
    terms?: RunOptions,
  ): Future<unknown> {
    const key = depositOf(fn, door);
    const context = isContextEmpty() ? undefined : entriesOf(copyContext(), door as () => void);
    sealArgs(args, chunk === 0 ? "args" : "items", door, terms?.transfer, context);
    const future = new Future<unknown>();
    const signal = terms?.signal;
    if (signal?.aborted) {
      conclude(future, { error: signal.reason });
      return future;
    }
    const letter = sealedLetter();
    const thread = isolate ??= getIdent();
    const { home, pool } = this.door;
    const known = introduced.has(`${home} ${pool}`);
    const id = this.#inbox.open((mail) => this.#answered(id, future, signal, mail));
    const visit: Visit = {
      thread,
      id,
      guest: known ? undefined : this.#inbox.address,
      key,
      chunk,
      args: letter,
      timeout: terms?.timeout,
      stoppable: signal !== undefined,
    };
    try {
      send(this.door.address, [pool, VISIT, visit]);
    } catch (error) {
      this.#inbox.close(id);
      throw error;
    }
    introduced.add(`${home} ${pool}`);
    this.#inbox.expect();
    if (signal !== undefined) this.#heed(signal, { thread, id }, future);
    bind(future, {
      running: () => false,
      cancel: () => false,
      pump: (limit) => this.#inbox.wait(limit),
      awaited: () => this.#awaited(thread, id),
    });
    return future;
  }

  /** Has the call stopped when the signal is aborted. */
  #heed(signal: AbortSignal, call: Call, future: Future<unknown>): void {
    const onAbort = () => send(this.door.address, [this.door.pool, STOP, call]);
    signal.addEventListener("abort", onAbort);
    whenDone(future, () => signal.removeEventListener("abort", onAbort));
  }

  /** Somebody begins to wait without limit: a task of the same pool, perhaps. */
  #awaited(thread: number, id: number): void {
    const { home, pool } = this.door;
    if (current.task === 0 || current.home !== home || current.pool !== pool) return;
    send(this.door.address, [pool, WAITS, { thread, id, within: current.task }]);
  }

  #answered(
    id: number,
    future: Future<unknown>,
    signal: AbortSignal | undefined,
    [, kind, content]: Mail,
  ): void {
    const end = (ended: Ended) => {
      this.#inbox.decoding.delete(future);
      if (future.done()) return;
      this.#inbox.close(id);
      this.#inbox.settled();
      conclude(future, ended);
    };
    // An aborted call that has not come to its end: the answer only says so.
    if (kind === ERROR && signal?.aborted) return end({ error: signal.reason });
    let arrived: Arrived;
    if (kind === ERROR) arrived = { error: content };
    else if (kind === RESULT) {
      const { list, bundle } = openLetter(content);
      if (list !== undefined) return end({ value: resultIn(list, content) });
      arrived = (content.form & FAILED) === 0
        ? { parcel: bundle }
        : { error: bundle as EncodedError };
    } else return;
    const ended = receivedSoon(arrived);
    if (ended !== undefined) return end(ended);
    this.#inbox.decoding.set(future, () => end(receivedNow(arrived)));
    void received(arrived).then(end);
  }

  /** Only the thread that made it can. */
  close(): never {
    throw new RuntimeError(
      "Cannot shut down an executor of another thread: its own thread has to do that",
    );
  }
}
