/**
 * What a worker of a crew runs that is a process; the far side of `_crew_processes.ts`.
 *
 * 1. It redeems the handle that it was started with, and calls `work` with a handle of its own. That call is answered when the worker
 *    is to end, and holds the event loop open until then.
 * 2. It gets letters, many in a message, and carries out one task after the other.
 * 3. An answer is handed to the system before the next task begins: whatever that does to this process, the answer arrives. But that
 *    of a task in a group may wait for the next of the group.
 *
 * @module
 */
import { Bench } from "./_crew_bench.ts";
import { BEGIN, LEARN, type Letter, TASK, type Task, TOLD_TASK } from "./_crew_protocol.ts";
import { AnswerWriter, type Bytes, codec, readLetters } from "./_crew_wire.ts";
import { whoAmI } from "./_self.ts";
import { type Handle, offer, redeem, type Remote } from "./_tree.ts";

/** Milliseconds after which a worker listens before it goes on. */
const LONG = 1;

/** Answers of a group that wait for each other, and their bytes. */
const MOST_HELD = 64;
const MOST_BYTES = 32 * 1024;

/** Runs a worker. `text` is the handle of its crew, as JSON. */
export async function workInProcess(text: string): Promise<void> {
  const crew = redeem(JSON.parse(text) as Handle);
  const worker = new Hand(crew);
  const own = offer({
    call: (method, args) => method === "recall" ? worker.giveBack() : worker.hear(args[0] as Bytes),
    hear: (_, bytes) => worker.hear(bytes),
  });
  await crew.call("work", [own.handle()]);
}

class Hand {
  readonly #crew: Remote;
  readonly #bench = new Bench(codec, `process ${whoAmI().job?.name} (${Deno.pid})`);
  readonly #answers = new AnswerWriter();
  #tasks: Task<Bytes>[] = [];
  #working = false;

  constructor(crew: Remote) {
    this.#crew = crew;
  }

  hear(letters: Bytes): void {
    for (const letter of readLetters(letters)) this.#read(letter);
    if (!this.#working) void this.#work();
  }

  #read(letter: Letter<Bytes>): void {
    switch (letter[0]) {
      case LEARN:
        return this.#bench.learn(letter[1], letter[2]);
      case TASK:
      case TOLD_TASK: {
        const [kind, id, key, form, body, group] = letter;
        const begins = kind === TASK ? undefined : () => this.#tell("began", [id]);
        return void this.#tasks.push({ id, key, form, body, group, begins });
      }
      case BEGIN:
        if (letter[1] !== 0) void this.#begin(letter[1], letter[2]!);
    }
  }

  async #begin(key: number, body: Bytes): Promise<void> {
    try {
      await this.#bench.begin(key, body);
    } catch (error) {
      return this.#crew.tell("failed", [this.#bench.told(error)]);
    }
    this.#crew.tell("ready", []);
  }

  async #work(): Promise<void> {
    this.#working = true;
    let held = 0;
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      const answer = await this.#bench.perform(task);
      this.#answers.add(answer);
      const next = this.#tasks[0];
      const waits = task.group !== 0 && task.group === next?.group && ++held < MOST_HELD;
      if (waits && answer.ran < LONG && this.#answers.size < MOST_BYTES) continue;
      held = 0;
      await this.#tell("answers", [this.#answers.take()]);
      // What the crew has said meanwhile is heard now: it may want the next tasks back.
      if (answer.ran > LONG) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    this.#working = false;
  }

  /** Tells the crew, and waits until the system has it. */
  async #tell(method: string, args: unknown[]): Promise<void> {
    this.#crew.tell(method, args);
    await whoAmI().up?.flush();
  }

  /** Tasks that were not begun go back. */
  giveBack(): void {
    const ids = this.#tasks.map(({ id }) => id);
    this.#tasks = [];
    this.#crew.tell("returned", [ids]);
  }
}
