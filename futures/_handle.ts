/**
 * A thread pool seen from another thread, such as one of its own workers: calls go to the thread that has the pool, whose event loop,
 * or whose blocking wait for a future, puts them into the queue; the answers come straight back.
 *
 * That thread also sees when calls wait for each other in a circle: the pool is told which call waits for which.
 *
 * @module
 */
import { copyContext } from "../contextvars/mod.ts";
import { entriesOf } from "../threading/_context.ts";
import type { EncodedError, Ended } from "../threading/_core/mod.ts";
import { getIdent } from "../threading/mod.ts";
import { type Arrived, received, receivedNow, receivedSoon } from "./_decode.ts";
import { inboxOfThread } from "./_inbox.ts";
import { FAILED, openLetter, resultIn, sealArgs, sealedLetter } from "./_payload.ts";
import {
  type Door,
  ERROR,
  type Mail,
  RESULT,
  send,
  VISIT,
  type Visit,
  WAITS,
} from "./_protocol.ts";
import { current, depositOf } from "./_sending.ts";
import type { RunOptions } from "./_terms.ts";
import { RuntimeError } from "./errors.ts";
import { bind, conclude, Future } from "./future.ts";

type AnyFunction = (...args: never[]) => unknown;

/** Pools that know where this thread's answers go, by home and number. */
const introduced = new Set<string>();

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
    if (terms?.signal !== undefined) {
      throw new TypeError(
        "Cannot submit with a signal to an executor of another thread: use a timeout, or submit in the thread that made it",
      );
    }
    const key = depositOf(fn, door);
    const context = copyContext();
    sealArgs(args, {
      root: chunk === 0 ? "args" : "items",
      door,
      transfer: terms?.transfer,
      context: context.size === 0 ? undefined : entriesOf(context, door as () => void),
    });
    const letter = sealedLetter();
    const thread = getIdent();
    const { home, pool } = this.door;
    const known = introduced.has(`${home} ${pool} ${thread}`);
    const future = new Future<unknown>();
    const id = this.#inbox.open((mail) => this.#answered(id, future, mail));
    const visit: Visit = {
      thread,
      id,
      guest: known ? undefined : this.#inbox.address,
      key,
      chunk,
      args: letter,
      timeout: terms?.timeout,
    };
    try {
      send(this.door.address, [pool, VISIT, visit]);
    } catch (error) {
      this.#inbox.close(id);
      throw error;
    }
    introduced.add(`${home} ${pool} ${thread}`);
    this.#inbox.expect();
    bind(future, {
      running: () => false,
      cancel: () => false,
      pump: (limit) => this.#inbox.wait(limit),
      awaited: () => this.#awaited(thread, id),
    });
    return future;
  }

  /** Somebody begins to wait without limit: a task of the same pool, perhaps. */
  #awaited(thread: number, id: number): void {
    const { home, pool } = this.door;
    if (current.task === 0 || current.home !== home || current.pool !== pool) return;
    send(this.door.address, [pool, WAITS, { thread, id, within: current.task }]);
  }

  #answered(id: number, future: Future<unknown>, [, kind, content]: Mail): void {
    const end = (ended: Ended) => {
      this.#inbox.decoding.delete(future);
      if (future.done()) return;
      this.#inbox.close(id);
      this.#inbox.settled();
      conclude(future, ended);
    };
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
