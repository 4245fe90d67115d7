/**
 * A world in which threads move one operation at a time. Agents stand on one small ground; each runs strands, generators that yield
 * drive.ts's steps; somebody else (search.ts) says which agent moves next. The words, the lots, the waiters, the stacks and
 * `Site.drain` are the engine room's own; what is done by JavaScript's event loop and by the operating system is played here.
 *
 * - An agent runs one strand at a time, from a park or a {@linkcode pause} to the next: JavaScript's run-to-completion. Which of the
 *   ready strands goes on is a choice, so every order of promise callbacks is covered, and more.
 * - A strand that sleeps in a `Sync` call keeps its agent: no other strand runs, nobody answers the bell.
 * - `parkSync`, `parkAsync` and `Site.#listen` of park.ts are played operation by operation, in the order in which they stand there.
 *   Change them together.
 *
 * What a move touches is recorded, so that the search can tell which moves could have been made in either order.
 *
 * @module
 */
import type { Limit } from "../../threading/_core/clock.ts";
import {
  ADD,
  CAS,
  GIVE,
  LOAD,
  OR,
  PARK,
  STORE,
  SWAP,
  TAKE,
  WAKE,
} from "../../threading/_core/drive.ts";
import { allocate, makeAgent } from "../../threading/_core/heap.ts";
import type { Cell } from "../../threading/_core/lot.ts";
import {
  ABORTED,
  ANY,
  LOOK,
  Site,
  type Step,
  TIMED_OUT,
  type Woken,
} from "../../threading/_core/park.ts";
import {
  A_BELL,
  A_BLOCKED,
  A_PARK,
  A_SPARE,
  A_STACK,
  A_UNCLAIMED,
  AGENT_WORDS,
  ASYNC,
  DEATHS,
  Ground,
  HEAP_TOP,
  IDLE,
  W_AGENT,
  W_FORM,
  W_NEXT,
  W_STACKED,
  W_STATE,
  WAITER_WORDS,
  WAITING,
} from "../../threading/_core/words.ts";

/** What a strand does. */
export type Play = Generator<Step, void, number>;

/** Kind of a step of the model's own: the strand goes on in a later turn of its agent's event loop. */
export const PAUSE = 100;

/** A time-out that may or may not come, at every moment: whether it does is a choice of the search. */
export const LIMITED: Limit = Object.freeze({ deadline: 1, signal: undefined });
/** The same for an abort. Asynchronous waiters only. */
export const ABORTABLE: Limit = Object.freeze({
  deadline: Infinity,
  signal: new AbortController().signal,
});

/** A step as the world keeps it, since the engine room uses one object for all. */
export type Op = Step;

/** Changes a step on its way, or answers it itself with a number: how bugs are planted. `undefined` leaves it alone. */
export type Plant = (op: Op, strand: Strand, world: World) => number | undefined;

/** Deviations of what the world plays itself. */
export interface Quirks {
  /** `parkAsync` answers the bell before the waiter can be woken. */
  readonly listensFirst?: boolean;
  /**
   * An asynchronous call's caller goes on in the turn in which the call ends. In JavaScript it is a few turns later: a permit that
   * was picked up is its caller's, though the caller does not run yet, and a `Sync` call of the same thread that needs it back
   * waits for ever, as it would for a task that holds a lock over an `await`. Nothing can be done about that below the promise.
   */
  readonly atOnce?: boolean;
}

/** One line of execution of an agent. */
export interface Strand {
  readonly index: number;
  readonly name: string;
  readonly agent: Agent;
  readonly play: Play;
  /** What it does next, when it is its agent's current one. */
  readonly op: Op;
  /** Within a park. */
  phase: number;
  /** The `A_PARK` it has seen. */
  seen: number;
  /** Ready to run, when no strand is its agent's current one; `result` is what it goes on with. */
  ready: boolean;
  result: number;
  /** Waits for its waiter to be woken, asynchronously. */
  parked: boolean;
  done: boolean;
}

/** One thread. */
export interface Agent {
  readonly index: number;
  readonly site: Site;
  /** The strand that runs, or sleeps in a `Sync` call. */
  current: Strand | undefined;
  /** Listens to the bell; has seen it at `bell`; is between reading and draining. */
  listening: boolean;
  bell: number;
  answering: boolean;
  /** A drain of its own is queued. */
  soon: boolean;
  /** How many deaths it knows of. */
  deaths: number;
  /** It has ended: it does nothing any more. */
  gone: boolean;
}

/** Words that a move read and wrote. */
export interface Footprint {
  readonly agent: number;
  readonly reads: number[];
  readonly writes: number[];
}

/** Kinds of moves; a move is `agent << 8 | kind << 4 | strand`. */
const STEP = 0;
const ANSWER = 1;
const DRAIN = 2;
const RESUME = 3;
const TIMEOUT = 4;
const ABORT = 5;
const MOVE_NAMES = ["", "answers the bell", "drains", "resumes", "times out", "is aborted"];
const STEP_NAMES = ["load", "store", "cas", "add", "swap", "take", "give", "park", "wake", "or"];

const buffer = new SharedArrayBuffer(4 * 2048);
const before = new Int32Array(2048);
const FIRST_RECORD = 64;

/** See the head of this file. */
export class World {
  readonly ground: Ground;
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly agents: Agent[] = [];
  readonly strands: Strand[] = [];
  /** Checked after each move. */
  readonly invariants: (() => void)[] = [];
  readonly plant: Plant | undefined;
  readonly quirks: Quirks;
  /** Names of words, for traces. */
  readonly #names = new Map<number, string>();
  /** Lines of a trace, when one is wanted. */
  trace: string[] | undefined;
  /** Makes moves without recording what they touch and without checks: they have been made before. */
  again = false;
  /** The words that the last move touched. */
  touched: Footprint = { agent: 0, reads: [], writes: [] };

  constructor(plant?: Plant, quirks: Quirks = {}) {
    this.ground = new Ground(buffer);
    this.words = this.ground.words;
    this.words.fill(0);
    before.fill(0);
    this.words[HEAP_TOP] = FIRST_RECORD;
    this.plant = plant;
    this.quirks = quirks;
  }

  /** A new thread. */
  agent(): Agent {
    const site = new Site(this.ground, makeAgent(this.ground, 0));
    const index = this.agents.length;
    const agent = {
      index,
      site,
      current: undefined,
      listening: false,
      bell: 0,
      answering: false,
      soon: false,
      deaths: 0,
      gone: false,
    };
    const names = ["park", "bell", "stack", "blocked", "unclaimed", "skipped", "spare", "requests"];
    names.forEach((name, i) => this.name(site.agent + i, `${"ABCDEF"[index]}.${name}`));
    this.name(site.waiter + W_STATE, `${"ABCDEF"[index]}.waiter.state`);
    this.agents.push(agent);
    return agent;
  }

  /** Memory for an object, all of it 0. */
  room(name: string, count: number, names: readonly string[] = []): number {
    const at = allocate(this.ground, Math.max(count, 8), 0);
    for (let i = 0; i < count; i++) this.name(at + i, `${name}.${names[i] ?? i}`);
    return at;
  }

  /** Gives a word a name for traces. */
  name(at: number, name: string): void {
    this.#names.set(at, name);
  }

  /** An object's memory as an agent sees it. */
  cell(agent: Agent, at: number): Cell {
    return { site: agent.site, words: this.words, at };
  }

  /** Adds something that an agent does. */
  strand(agent: Agent, name: string, body: () => Play): Strand {
    const strand: Strand = {
      index: this.strands.length,
      name: `${"ABCDEF"[agent.index]}:${name}`,
      agent,
      play: body(),
      op: { kind: PAUSE, words: this.words, at: 0, a: 0, b: 0, limit: undefined },
      phase: 0,
      seen: 0,
      ready: true,
      result: 0,
      parked: false,
      done: false,
    };
    this.strands.push(strand);
    return strand;
  }

  /** Whether every strand has come to its end. */
  get over(): boolean {
    return this.strands.every((strand) => strand.done);
  }

  /** The moves that can be made now. */
  moves(): number[] {
    const moves: number[] = [];
    for (const agent of this.agents) this.#movesOf(agent, moves);
    return moves;
  }

  #movesOf(agent: Agent, moves: number[]): void {
    const code = (kind: number, strand: number) => agent.index << 8 | kind << 4 | strand;
    const { current } = agent;
    if (agent.gone) return;
    if (current !== undefined) {
      const { op } = current;
      const asleep = op.kind === PARK && current.phase === 2 && !this.#isAsync(op.at);
      const stands = op.kind === TAKE
        ? this.words[op.at] !== 0
        : asleep && op.limit!.deadline !== -Infinity &&
          this.words[agent.site.agent + A_PARK] === current.seen;
      if (!stands) moves.push(code(STEP, current.index));
      if (asleep && Number.isFinite(op.limit!.deadline)) moves.push(code(TIMEOUT, current.index));
      return;
    }
    if (agent.answering) {
      moves.push(code(STEP, 0));
      return;
    }
    if (agent.listening && this.words[agent.site.agent + A_BELL] !== agent.bell) {
      moves.push(code(ANSWER, 0));
    }
    if (agent.soon) moves.push(code(DRAIN, 0));
    for (const strand of this.strands) {
      if (strand.agent !== agent || strand.done) continue;
      if (strand.ready) moves.push(code(RESUME, strand.index));
      else if (strand.parked) {
        if (strand.op.limit!.deadline !== Infinity) moves.push(code(TIMEOUT, strand.index));
        if (strand.op.limit!.signal !== undefined) moves.push(code(ABORT, strand.index));
      }
    }
  }

  #isAsync(waiter: number): boolean {
    return this.words[waiter + W_FORM] === ASYNC;
  }

  /** Makes a move and tells in {@linkcode World.touched} what it touched. */
  make(move: number): void {
    const agent = this.agents[move >> 8];
    const kind = move >> 4 & 15;
    const strand = this.strands[move & 15];
    const { words } = this;
    const top = words[HEAP_TOP];
    if (!this.again) { for (let i = FIRST_RECORD; i < top; i++) before[i] = words[i]; }
    this.touched = { agent: agent.index, reads: [], writes: [] };
    if (this.trace !== undefined && kind !== STEP) {
      this.trace.push(`${kind < RESUME ? "ABCDEF"[agent.index] : strand.name} ${MOVE_NAMES[kind]}`);
    }
    switch (kind) {
      case STEP:
        if (agent.current === undefined) this.#drain(agent);
        else this.#step(agent.current);
        break;
      case ANSWER:
        agent.bell = this.#read(agent.site.agent + A_BELL);
        agent.answering = true;
        break;
      case DRAIN:
        agent.soon = false;
        this.#drain(agent);
        break;
      case RESUME:
        agent.current = strand;
        strand.ready = false;
        this.#advance(strand, strand.result);
        break;
      default: {
        const why = kind === TIMEOUT ? TIMED_OUT : ABORTED;
        if (strand === agent.current) this.#advance(strand, why);
        else agent.site.pending.get(strand.op.at)!.wake!(why);
      }
    }
    if (this.again) return;
    this.#recordWrites(Math.max(top, words[HEAP_TOP]));
    for (const check of this.invariants) check();
  }

  #recordWrites(top: number): void {
    const { words, touched: { writes } } = this;
    for (let i = FIRST_RECORD; i < top; i++) {
      if (words[i] === before[i]) continue;
      if (!writes.includes(i)) writes.push(i);
      // Whoever tells an asynchronous waiter something looks at its agent's stack too, even if it leaves it as it was.
      const waiter = i & ~7;
      if (i === waiter + W_STATE && this.#isWaiter(waiter) && this.#isAsync(waiter)) {
        writes.push(words[waiter + W_AGENT] + A_STACK);
      }
    }
  }

  #isWaiter(record: number): boolean {
    return this.agents.some(({ site }) => this.words[record + W_AGENT] === site.agent);
  }

  #read(at: number): number {
    this.touched.reads.push(at);
    return this.words[at];
  }

  #drain(agent: Agent): void {
    this.touched.writes.push(agent.site.agent + A_STACK);
    agent.site.drain();
    if (agent.answering) {
      agent.answering = false;
      this.#mourn(agent);
      if (agent.site.pending.size === 0) agent.listening = false;
    }
  }

  /** `Site.#mourn` of park.ts. */
  #mourn(agent: Agent): void {
    const deaths = this.#read(DEATHS);
    if (deaths === agent.deaths) return;
    agent.deaths = deaths;
    for (const { wake } of [...agent.site.pending.values()]) wake?.(LOOK);
  }

  #missesDeath({ a: deaths }: Op): boolean {
    return deaths !== ANY && this.#read(DEATHS) !== deaths;
  }

  #step(strand: Strand): void {
    const { op } = strand;
    if (op.kind === PARK) {
      if (this.#isAsync(op.at)) this.#parkAsync(strand);
      else this.#parkSync(strand);
      return;
    }
    const result = this.#perform(strand.agent, op);
    this.#tell(strand, `${STEP_NAMES[op.kind]} ${this.#nameOf(op.at)}${this.#details(op, result)}`);
    this.#advance(strand, result);
  }

  #details({ kind, a, b }: Op, result: number): string {
    switch (kind) {
      case LOAD:
        return ` is ${result}`;
      case STORE:
        return ` = ${a}`;
      case CAS:
        return result === a ? ` ${a} -> ${b}` : ` is ${result}, not ${a}`;
      case ADD:
        return ` += ${a}`;
      case SWAP:
        return ` = ${a}, was ${result}`;
      case OR:
        return ` |= ${a}, was ${result}`;
      default:
        return "";
    }
  }

  #tell(strand: Strand, text: string): void {
    this.trace?.push(`${strand.name} ${text}`);
  }

  #nameOf(at: number): string {
    const name = this.#names.get(at);
    if (name !== undefined) return name;
    const waiter = at & ~7;
    const owner = this.strands.find(({ agent }) => agent.site.pending.has(waiter));
    return `${owner === undefined ? "?" : "ABCDEF"[owner.agent.index]}.async@${waiter}+${
      at - waiter
    }`;
  }

  #perform(agent: Agent, op: Op): number {
    const { words } = this;
    const was = words[op.at];
    const { reads, writes } = this.touched;
    switch (op.kind) {
      case LOAD:
        reads.push(op.at);
        return was;
      case STORE:
        writes.push(op.at);
        words[op.at] = op.a;
        return op.a;
      case CAS:
        if (was !== op.a) {
          reads.push(op.at);
          return was;
        }
        writes.push(op.at);
        words[op.at] = op.b;
        return was;
      case ADD:
        writes.push(op.at);
        words[op.at] = was + op.a;
        return was;
      case SWAP:
        writes.push(op.at);
        words[op.at] = op.a;
        return was;
      case OR:
        writes.push(op.at);
        words[op.at] = was | op.a;
        return was;
      case TAKE:
        writes.push(op.at);
        words[op.at] = op.a << 1;
        return 0;
      case GIVE:
        writes.push(op.at);
        words[op.at] = 0;
        return 0;
      case WAKE: {
        if (op.a === ASYNC && op.at === agent.site.agent) {
          agent.soon = true;
          return 0;
        }
        const word = op.at + (op.a === ASYNC ? A_BELL : A_PARK);
        writes.push(word);
        words[word]++;
        return 0;
      }
      default:
        throw new TypeError(`Unknown step ${op.kind}`);
    }
  }

  /** `parkSync` of park.ts: reads the counter, looks, sleeps while the counter is the same. */
  #parkSync(strand: Strand): void {
    const { op, agent: { site } } = strand;
    switch (strand.phase) {
      case 1:
        if (this.#read(op.at + W_STATE) !== WAITING || this.#missesDeath(op)) {
          this.#tell(strand, "need not sleep");
          this.#advance(strand, LOOK);
        } else strand.phase = 2;
        return;
      case 2:
        if (op.limit!.deadline === -Infinity) {
          this.#advance(strand, TIMED_OUT);
          return;
        }
    }
    strand.seen = this.#read(site.agent + A_PARK);
    strand.phase = 1;
    this.#tell(strand, `goes to sleep on ${strand.seen}`);
  }

  /** `parkAsync` and the first part of `Site.#listen` of park.ts. */
  #parkAsync(strand: Strand): void {
    const { op, agent } = strand;
    const { site } = agent;
    const early = this.quirks.listensFirst === true;
    const suspend = () => {
      strand.agent.current = undefined;
    };
    const expect = () => {
      strand.parked = true;
      const pending = site.pending.get(op.at)!;
      pending.wake = (why: Woken) => {
        pending.wake = undefined;
        strand.parked = false;
        strand.ready = true;
        strand.result = why;
      };
      if (op.limit!.deadline === -Infinity) pending.wake(TIMED_OUT);
    };
    switch (strand.phase) {
      case 0:
        if (this.#read(op.at + W_STATE) !== WAITING || this.#missesDeath(op)) {
          this.#tell(strand, "need not wait");
          strand.ready = true;
          strand.result = LOOK;
          suspend();
          return;
        }
        this.#tell(strand, "waits");
        if (!early) expect();
        strand.phase = 1;
        if (!agent.listening) return;
        break;
      case 1:
        agent.listening = true;
        agent.bell = this.#read(site.agent + A_BELL);
        this.#tell(strand, "listens to the bell");
        strand.phase = 2;
        return;
      case 2:
        this.#drain(agent);
        this.#mourn(agent);
        this.#tell(strand, "drains");
    }
    if (early) expect();
    suspend();
  }

  #advance(strand: Strand, result: number): void {
    const { agent, op } = strand;
    for (;;) {
      const next = strand.play.next(result);
      if (next.done) {
        strand.done = true;
        agent.current = undefined;
        return;
      }
      Object.assign(op, next.value);
      strand.phase = 0;
      const answer = this.plant?.(op, strand, this);
      if (answer === undefined) break;
      result = answer;
    }
    if (op.kind === PAUSE) {
      strand.ready = true;
      strand.result = 0;
      agent.current = undefined;
    }
  }

  /** The agent ends here: its strands never go on. */
  bury(agent: Agent): void {
    agent.gone = true;
    for (const strand of this.strands) if (strand.agent === agent) strand.done = true;
  }

  /** Checks that nothing was left behind, when all strands are over. */
  checkClean(): void {
    const { words } = this;
    for (const { site, gone } of this.agents) {
      if (gone) continue;
      site.drain();
      const left = [A_STACK, A_BLOCKED, A_UNCLAIMED].filter((word) =>
        words[site.agent + word] !== 0
      );
      if (left.length > 0) throw new Error(`Agent ${site.agent}: word ${left} is not 0 at the end`);
      if (words[site.waiter + W_STATE] !== IDLE) throw new Error("A Sync waiter is not idle");
      if (site.pending.size > 0) throw new Error("An asynchronous waiter is still pending");
      if (site.retiring.size > 0) throw new Error("An asynchronous waiter is still retiring");
    }
    this.#checkSpares();
  }

  #checkSpares(): void {
    const { words } = this;
    const spare = new Set<number>();
    for (const { site } of this.agents) {
      for (
        let waiter = words[site.agent + A_SPARE];
        waiter !== 0;
        waiter = words[waiter + W_NEXT]
      ) {
        if (spare.has(waiter)) throw new Error("A waiter is spare twice");
        spare.add(waiter);
        if (words[waiter + W_STATE] !== IDLE) throw new Error("A spare waiter is not idle");
        if (words[waiter + W_STACKED] !== 0) throw new Error("A spare waiter is stacked");
      }
    }
    for (let at = FIRST_RECORD; at < words[HEAP_TOP]; at += WAITER_WORDS) {
      const inAgent = this.agents.some(({ site, gone }) =>
        at >= site.agent && at < site.agent + AGENT_WORDS ||
        gone && words[at + W_AGENT] === site.agent
      );
      if (inAgent || words[at + W_FORM] !== ASYNC || !this.#isWaiter(at)) continue;
      if (!spare.has(at)) throw new Error("A waiter's record was lost");
    }
  }

  /** What the strands that are not over wait for. */
  describeStuck(): string {
    return this.strands.filter((strand) => !strand.done).map((strand) => {
      const { op, agent } = strand;
      const doing = strand.parked
        ? "awaits its waiter"
        : op.kind === PARK
        ? "sleeps"
        : `${STEP_NAMES[op.kind] ?? "pauses"} ${this.#nameOf(op.at)}`;
      return `${strand.name} ${doing}${
        agent.current !== undefined && agent.current !== strand
          ? " while its thread is in a Sync call"
          : ""
      }`;
    }).join("; ");
  }
}

/** The strand goes on in a later turn of its agent's event loop. */
export function pause(world: World): Step {
  return { kind: PAUSE, words: world.words, at: 0, a: 0, b: 0, limit: undefined };
}
