/**
 * What a worker of a crew runs that is a process; the far side of `_crew_processes.ts`.
 *
 * 1. It gets letters, by its lane (`_crew_child_lane.ts`), or, where it has none, over the tree (`_crew_child_tree.ts`).
 * 2. It carries out one task after the other.
 * 3. An answer is in the lane, or handed to the system, before the next task begins: whatever that does to this process, the answer
 *    arrives. But over the tree that of a task in a group may wait for the next of the group.
 *
 * @module
 */
import { Bench } from "./_crew_bench.ts";
import {
  BEGAN,
  BEGIN,
  FAILED,
  FINISH,
  LEARN,
  type Letter,
  READY,
  RECALL,
  RETURNED,
  TASK,
  type Task,
  UNCAUGHT,
} from "./_crew_protocol.ts";
import { type Body, type Bytes, codec, LetterReader, ReportWriter } from "./_crew_wire.ts";
import { whoAmI } from "./_self.ts";

/** Milliseconds after which a worker listens before it goes on. */
const LONG = 1;

/** Answers of a group that wait for each other, and their bytes. */
const MOST_HELD = 64;
const MOST_BYTES = 32 * 1024;

/** The way to the crew. */
export interface Wire {
  /** What is said is ours again when this returns, or resolves: then the crew gets it, whatever happens here. */
  say(reports: Bytes): void | Promise<void>;
  /** Hands on what was said, as far as the system takes it, for who has no other turn. */
  push?(): void;
  /** Whether each answer should be said at once. */
  readonly eager: boolean;
  /** Hears what has come since, if that takes no turn of the event loop. */
  look?(): void;
  /** Whether there is something to be done, now or within a moment. */
  soon?(): boolean;
  /** Gives the event loop a turn, now and then. */
  breathe?(): undefined | Promise<undefined>;
}

/** A worker's life, whatever way it is told what to do. */
export class Hand {
  readonly #wire: Wire;
  readonly #bench = new Bench(codec, `process ${whoAmI().job?.name} (${Deno.pid})`);
  readonly #reader = new LetterReader();
  readonly #reports = new ReportWriter();
  readonly #over = Promise.withResolvers<void>();
  #tasks: Task<Body>[] = [];
  #next = 0;
  #working = false;
  /** Until it has begun. */
  #begins: Promise<void> | undefined;
  isOver = false;

  constructor(wire: Wire) {
    this.#wire = wire;
    // What a task has left behind, and nobody awaits, ends the process as it ends every program; its crew is told of what.
    addEventListener("unhandledrejection", ({ reason }) => this.#lastWords(reason));
    addEventListener("error", ({ error }) => this.#lastWords(error));
  }

  #lastWords(error: unknown): void {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : Deno.inspect(error);
    void this.#say(UNCAUGHT, text);
    this.#wire.push?.();
  }

  /** Resolves when the crew has nothing more to be done. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  look(): void {
    this.#wire.look?.();
  }

  hear(letters: Bytes): void {
    this.#reader.read(letters, (letter) => this.#read(letter));
    if (!this.#working && this.#next < this.#tasks.length) void this.#work();
  }

  #read(letter: Letter<Body>): void {
    switch (letter[0]) {
      case LEARN:
        return this.#bench.learn(letter[1], letter[2]);
      case BEGIN:
        this.#begins = this.#begin(letter[1], letter[2]).finally(() => this.#begins = undefined);
        return;
      case RECALL:
        return this.#giveBack();
      case FINISH:
        // As in Python, each worker has called its initializer before it ends.
        return this.#begins === undefined ? this.#end() : void this.#begins.then(() => this.#end());
      default: {
        const [kind, id, key, form, body, group] = letter;
        const begins = kind === TASK ? undefined : async () => {
          await this.#say(BEGAN, id);
        };
        this.#tasks.push({ id, key, form, body, group, begins });
      }
    }
  }

  async #begin(key: number, body: Body | undefined): Promise<void> {
    try {
      if (key !== 0) await this.#bench.begin(key, body!);
    } catch (error) {
      return await this.#say(FAILED, this.#bench.told(error));
    }
    await this.#say(READY);
  }

  #end(): void {
    this.isOver = true;
    this.#over.resolve();
  }

  #first(): Task<Body> | undefined {
    if (this.#next < this.#tasks.length) return this.#tasks[this.#next++];
    this.#tasks = [];
    this.#next = 0;
  }

  async #work(): Promise<void> {
    this.#working = true;
    const wire = this.#wire;
    let held = 0;
    for (;;) {
      const task = this.#first();
      if (task === undefined) {
        // Before it sleeps; what is heard here is its next task.
        wire.look?.();
        if (this.#next < this.#tasks.length || wire.soon?.() === true) continue;
        break;
      }
      const performed = this.#bench.perform(task);
      const answer = performed instanceof Promise ? await performed : performed;
      this.#reports.answer(answer);
      if (wire.eager) {
        const said = wire.say(this.#reports.take());
        if (said !== undefined) await said;
        wire.look?.();
        const turn = wire.breathe?.();
        if (turn !== undefined) await turn;
        continue;
      }
      const next = this.#tasks[this.#next];
      const waits = task.group !== 0 && task.group === next?.group && ++held < MOST_HELD;
      if (waits && answer.ran < LONG && this.#reports.size < MOST_BYTES) continue;
      held = 0;
      await wire.say(this.#reports.take());
      // What the crew has said meanwhile is heard now: it may want the next tasks back.
      if (answer.ran > LONG) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    this.#working = false;
  }

  async #say(kind: Parameters<ReportWriter["say"]>[0], what?: unknown): Promise<void> {
    this.#reports.say(kind, what);
    await this.#wire.say(this.#reports.take());
  }

  /** Tasks that were not begun go back. */
  #giveBack(): void {
    const ids = this.#tasks.slice(this.#next).map(({ id }) => id);
    this.#tasks = [];
    this.#next = 0;
    void this.#say(RETURNED, ids);
  }
}
