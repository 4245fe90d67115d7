/**
 * Workers of a crew that are threads: how the crew sees them, and what they run.
 *
 * Each worker takes its letters from a queue of its own, and all answer in one, ringing a bell. The crew waits for the bell, not for an
 * item: only while answers are awaited, so that an idle crew holds nothing open. A task that is to be called back is taken out of the
 * worker's queue again: whoever takes it out has it.
 *
 * @module
 */
import {
  atLeave,
  type EncodedError,
  type Limit,
  pack,
  type Parcel,
  remaining,
  task,
  unpack,
  unpackSync,
} from "../threading/_core/mod.ts";
import { Empty, SimpleQueue } from "../queue/mod.ts";
import { currentThread, Event, Thread } from "../threading/mod.ts";
import { Bench } from "./_crew_bench.ts";
import {
  type Answer,
  type AnyFunction,
  BEGIN,
  type Boss,
  type Codec,
  FINISH,
  type Hand,
  LEARN,
  type Letter,
  TASK,
  type Trade,
} from "./_crew_protocol.ts";

/** Values travel packed; the queue clones them. */
const codec: Codec<Parcel> = {
  pack: (value, what, root, door) => pack(value, what, door, { root }),
  unpackNow: unpackSync,
  unpackSoon: unpack,
  packError: (error) => error,
  unpackError: (body) => body as EncodedError,
  away: false,
};

/** What a worker says, after its number. */
type Report =
  | readonly [worker: number, what: "ready"]
  | readonly [worker: number, what: "failed", error: EncodedError]
  | readonly [worker: number, what: "answered", answer: Answer<Parcel>]
  | readonly [worker: number, what: "left"];

type Lesson = Extract<Letter<Parcel>, readonly [typeof LEARN, ...unknown[]]>;

/** What a worker is given. */
interface Post {
  readonly worker: number;
  readonly letters: SimpleQueue<Letter<Parcel>>;
  /** What it is to learn: not among the letters, of which some may be taken out again. */
  readonly lessons: SimpleQueue<Lesson>;
  readonly reports: SimpleQueue<Report>;
  readonly bell: Event;
}

/** Makes threads for one crew, whose names begin with `prefix`. */
export class ThreadTrade implements Trade<Parcel> {
  readonly codec: Codec<Parcel> = codec;
  readonly #prefix: string;
  readonly #reports = new SimpleQueue<Report>();
  readonly #bell = new Event();
  readonly #hands = new Map<number, ThreadHand>();
  #hired = 0;
  #expected = false;
  #listening = false;
  #waiting: AbortController | undefined;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  hire(boss: Boss<Parcel>): Hand<Parcel> {
    const number = this.#hired++;
    const hand = new ThreadHand(`${this.#prefix}_${number}`, boss, {
      worker: number,
      reports: this.#reports,
      bell: this.#bell,
    }, () => {
      this.#drain();
      if (this.#hands.delete(number)) boss.ended({ pid: undefined, exitcode: undefined });
    });
    this.#hands.set(number, hand);
    return hand;
  }

  expect(some: boolean): void {
    this.#expected = some;
    if (!some) this.#waiting?.abort();
    else if (!this.#listening) void this.#listen();
  }

  pump(limit: Limit): void {
    const left = remaining(limit.deadline);
    if (this.#reports.empty()) this.#bell.waitSync(left === Infinity ? {} : { timeout: left });
    this.#drain();
  }

  async #listen(): Promise<void> {
    this.#listening = true;
    while (this.#expected) {
      const controller = this.#waiting = new AbortController();
      try {
        await this.#bell.wait({ signal: controller.signal });
      } catch {
        // Nothing is expected any more, or was not for a moment.
      }
      this.#waiting = undefined;
      this.#drain();
    }
    this.#listening = false;
  }

  /** The bell first: what is put in afterwards rings again. */
  #drain(): void {
    this.#bell.clear();
    while (!this.#reports.empty()) {
      const report = this.#reports.getNowait();
      const [number, what] = report;
      const hand = this.#hands.get(number);
      if (hand === undefined) continue;
      if (what === "ready") hand.boss.ready();
      else if (what === "failed") hand.boss.failed(report[2]);
      else if (what === "answered") hand.answered(report[2]);
      else {
        this.#hands.delete(number);
        hand.boss.ended({ pid: undefined, exitcode: undefined });
      }
    }
  }
}

class ThreadHand implements Hand<Parcel> {
  readonly pid = undefined;
  readonly name: string;
  readonly boss: Boss<Parcel>;
  isStuck = false;
  /** Tasks that it has. */
  #tasks = 0;
  readonly #letters = new SimpleQueue<Letter<Parcel>>();
  readonly #lessons = new SimpleQueue<Lesson>();
  readonly #thread: Thread;
  readonly #gone: () => void;
  #joined: Promise<void> | undefined;

  constructor(
    name: string,
    boss: Boss<Parcel>,
    post: Omit<Post, "letters" | "lessons">,
    gone: () => void,
  ) {
    this.name = name;
    this.boss = boss;
    this.#gone = gone;
    this.#thread = new Thread({
      target: workInThread,
      args: [{ ...post, letters: this.#letters, lessons: this.#lessons }],
      name,
      daemon: true,
    });
    this.#thread.start();
  }

  send(letter: Letter<Parcel>): void {
    if (letter[0] === LEARN) return this.#lessons.put(letter);
    if (letter[0] === TASK) this.#tasks++;
    this.#letters.put(letter);
  }

  answered(answer: Answer<Parcel>): void {
    this.#tasks--;
    this.boss.answered(answer);
  }

  push(): void {}

  recall(): void {
    const ids: number[] = [];
    const others: Letter<Parcel>[] = [];
    try {
      for (;;) {
        const letter = this.#letters.getNowait();
        if (letter[0] === TASK) ids.push(letter[1]);
        else others.push(letter);
      }
    } catch (error) {
      if (!(error instanceof Empty)) throw error;
    }
    for (const letter of others) this.#letters.put(letter);
    this.#tasks -= ids.length;
    this.boss.returned(ids);
  }

  stop(): void {
    this.recall();
    this.isStuck = this.#tasks > 0;
    this.#letters.put([FINISH]);
  }

  /** For all who wait the same: whoever came first would else still be waiting when another, who found the thread ended, goes on. */
  join(): Promise<void> {
    return this.#joined ??= this.#join();
  }

  async #join(): Promise<void> {
    await this.#thread.join();
    this.#gone();
  }
}

/** What a worker runs. */
export async function workInThread(post: Post): Promise<void> {
  const { worker, letters, lessons, reports, bell } = post;
  const bench = new Bench(codec, `thread ${currentThread().name}`);
  const say = (report: Report) => {
    reports.put(report);
    bell.set();
  };
  const stay = atLeave(() => say([worker, "left"]));
  for (;;) {
    const letter = soon(letters) ?? await letters.get();
    // A lesson is put before the first letter that needs it.
    while (!lessons.empty()) {
      const [, key, reference] = lessons.getNowait();
      bench.learn(key, reference);
    }
    switch (letter[0]) {
      case BEGIN:
        try {
          if (letter[1] !== 0) await bench.begin(letter[1], letter[2]!);
          say([worker, "ready"]);
        } catch (error) {
          say([worker, "failed", bench.told(error)]);
        }
        break;
      case TASK: {
        const [, id, key, form, body] = letter;
        const answer = await bench.perform({ id, key, form, body });
        try {
          say([worker, "answered", answer]);
        } catch (error) {
          // The result cannot travel after all: that is how this one task ends.
          say([worker, "answered", bench.failed(answer, error)]);
        }
        break;
      }
      case FINISH:
        stay();
        return;
    }
  }
}

task(import.meta, workInThread as AnyFunction);

/** A letter that is there now, or comes within a moment: to sleep and be woken costs more than a look around. */
function soon(letters: SimpleQueue<Letter<Parcel>>): Letter<Parcel> | undefined {
  for (let look = 0; look < 200; look++) {
    if (letters.empty()) {
      for (let i = 0; i < 8; i++) Atomics.pause();
      continue;
    }
    try {
      return letters.getNowait();
    } catch (error) {
      if (!(error instanceof Empty)) throw error;
    }
  }
}
