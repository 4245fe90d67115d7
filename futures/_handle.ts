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
import { deposit, pack } from "../threading/_core/mod.ts";
import { getIdent } from "../threading/mod.ts";
import { received, receivedNow, receivedSoon } from "./_decode.ts";
import type { Arrived, Ended } from "./_decode.ts";
import { inboxOfThread } from "./_inbox.ts";
import {
  type Answer,
  DEPOSITED,
  type Door,
  ERROR,
  PARCELED,
  parcelOf,
  PLAIN,
  STARTED,
  VALUE,
  VISIT,
  type Visit,
  WAITS,
} from "./_protocol.ts";
import { current, depositOf, isPrimitive } from "./_sending.ts";
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
    const entries = context.size === 0 ? 0 : entriesOf(context, door as () => void);
    const root = chunk === 0 ? "args" : "items";
    const transfer = terms?.transfer ?? [];
    const parcel = transfer.length > 0
      ? pack(args, "submit", door, { root, transfer })
      : args.every(isPrimitive)
      ? undefined
      : parcelOf(args, "submit", root, door);
    const packed = parcel === undefined ? PLAIN : transfer.length > 0 ? DEPOSITED : PARCELED;
    const thread = getIdent();
    const { home, pool } = this.door;
    const known = introduced.has(`${home} ${pool} ${thread}`);
    const { answers, bell } = this.#inbox;
    const future = new Future<unknown>();
    const id = this.#inbox.open((answer) => this.#answered(id, future, answer));
    const visit: Visit = {
      thread,
      id,
      guest: known ? undefined : { answers, bell },
      key,
      entries,
      chunk,
      packed,
      args: packed === DEPOSITED ? deposit(parcel, transfer) : parcel ?? args,
      timeout: terms?.timeout,
    };
    try {
      this.#tell([pool, 0, VISIT, visit]);
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

  #tell(answer: Answer): void {
    this.door.answers.putNowait(answer);
    this.door.bell.set();
  }

  /** Somebody begins to wait without limit: a task of the same pool, perhaps. */
  #awaited(thread: number, id: number): void {
    const { home, pool } = this.door;
    if (current.task === 0 || current.home !== home || current.pool !== pool) return;
    this.#tell([pool, 0, WAITS, { thread, id, within: current.task }]);
  }

  #answered(id: number, future: Future<unknown>, answer: Answer): void {
    const [, , kind, content] = answer;
    if (kind === STARTED) return;
    const end = (ended: Ended) => {
      this.#inbox.decoding.delete(id);
      if (future.done()) return;
      this.#inbox.close(id);
      this.#inbox.settled();
      conclude(future, ended);
    };
    if (kind === VALUE) return end({ value: content });
    const arrived = (kind === ERROR ? { error: content } : { parcel: content }) as Arrived;
    const ended = receivedSoon(arrived);
    if (ended !== undefined) return end(ended);
    this.#inbox.decoding.set(id, () => end(receivedNow(arrived)));
    void received(arrived).then(end);
  }

  /** Only the thread that made it can. */
  close(): never {
    throw new RuntimeError(
      "Cannot shut down an executor of another thread: its own thread has to do that",
    );
  }
}
