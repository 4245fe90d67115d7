/**
 * A world of participants that share words as processes do: any of them may sleep on a word, and any of them may die between two steps.
 * Each runs one algorithm of `multiprocessing/_sync_*.ts`, step by step; the explorer says whose turn it is.
 *
 * - A wake-up of one goes to any of the sleepers on the word: which one is a choice.
 * - A sleeper whose word changes is not woken by that. So a wake-up that is lost is found: everybody sleeps, and it is a deadlock.
 * - A slice ends by itself only when nobody else can go on *and* somebody has died: it is for deaths that there are slices. With
 *   `slices`, one sleep of each participant may end early besides, at any moment, as in a real machine that is slow.
 * - Who is mortal may die at any moment but once it has come to its end.
 *
 * @module
 */
import type { Limit } from "../../threading/_core/mod.ts";
import {
  ABORTED,
  ADD,
  CAS,
  CHANGED,
  GONE,
  type Ground,
  LATE,
  LOAD,
  NOBODY,
  type Seat,
  SLEEP,
  SLICE,
  type Slow,
  type Step,
  STORE,
  SWAP,
  WAKE,
} from "../../multiprocessing/_sync_steps.ts";
import type { Explorable } from "./explorer.ts";
import type { Footprint } from "./world.ts";

/** What a participant does. */
export type Life = Slow<void>;

/** Changes a step on its way, or answers it with a number: how bugs are planted. `undefined` leaves it alone. */
export type Plant = (step: Step, who: Participant, world: ProcessWorld) => number | undefined;

/** A time-out, and an abort, that may or may not come while its caller sleeps: a choice of the search. */
export const LIMITED: Limit = Object.freeze({ deadline: 1, signal: undefined });
/** See {@linkcode LIMITED}. */
export const ABORTABLE: Limit = Object.freeze({
  deadline: Infinity,
  signal: new AbortController().signal,
});

/** One process, or thread of one. */
export interface Participant {
  readonly index: number;
  readonly name: string;
  readonly seat: Seat;
  readonly mortal: boolean;
  life: Life;
  /** What it does next. */
  readonly step: Step;
  asleep: boolean;
  woken: boolean;
  /** How many sleeps may still end early for no reason. */
  early: number;
  done: boolean;
  dead: boolean;
}

const GO = 0;
const DIE = 1;
const EARLY = 2;
const TIME_OUT = 3;
const ABORT = 4;
/** And, from here on, which of the sleepers it wakes. */
const WAKES = 8;

const WORDS = 2048;
const KINDS = ["load", "store", "cas", "add", "swap", "sleep", "wake", "gone"];

/** See the head of this file. */
export class ProcessWorld implements Explorable {
  readonly words: Int32Array = new Int32Array(WORDS);
  readonly participants: Participant[] = [];
  /** Checked after each move. */
  readonly invariants: (() => void)[] = [];
  trace: string[] | undefined;
  again = false;
  touched: Footprint = { agent: 0, reads: [], writes: [] };
  readonly #plant: Plant | undefined;
  readonly #slices: number;
  #top = 1;

  constructor(options: { plant?: Plant; slices?: number } = {}) {
    this.#plant = options.plant;
    this.#slices = options.slices ?? 0;
  }

  /** Memory for an object, all of it 0. */
  room(count: number): number {
    const at = this.#top;
    this.#top += count;
    if (this.#top > WORDS) throw new RangeError("The world is too small");
    return at;
  }

  /** Somebody new who does something with the object at `at`; `live` is given its seat. */
  participant(
    at: number,
    live: (seat: Seat) => Life,
    { mortal = false, as }: { mortal?: boolean; as?: Participant } = {},
  ): Participant {
    const index = this.participants.length;
    const seat: Seat = {
      words: this.words,
      at,
      me: as?.seat.me ?? index + 1,
      ground: this.#ground,
    };
    const step: Step = { kind: LOAD, seat, at: 0, a: 0, b: 0, limit: undefined };
    const participant: Participant = {
      index,
      name: "ABCDEF"[index],
      seat,
      mortal,
      life: live(seat),
      step,
      asleep: false,
      woken: false,
      early: this.#slices,
      done: false,
      dead: false,
    };
    this.participants.push(participant);
    this.#advance(participant, CHANGED);
    return participant;
  }

  readonly #ground: Ground = {
    sleeps: true,
    address: (index) => index,
    isGone: (who) => this.isGone(who),
    sleep() {},
    // Of code that is one move: who sleeps longest is woken.
    wake: (index, count) => {
      for (const sleeper of this.participants) {
        if (count === 0) return;
        const { asleep, woken, dead, step } = sleeper;
        if (!asleep || woken || dead || step.seat.at + step.at !== index) continue;
        sleeper.woken = true;
        count--;
      }
    },
  };

  /** Whether all participants with that number have died. */
  isGone(who: number): boolean {
    return who === NOBODY ||
      this.participants.some(({ seat, dead }) => seat.me === who && dead);
  }

  get over(): boolean {
    return this.participants.every(({ done, dead }) => done || dead);
  }

  moves(): number[] {
    const moves: number[] = [];
    const add = (who: Participant, what: number) => moves.push(who.index << 8 | what);
    for (const who of this.participants) {
      if (who.done || who.dead) continue;
      const { step } = who;
      if (!who.asleep) {
        const sleepers = step.kind === WAKE && step.a === 1 ? this.#sleepersOn(step) : [];
        if (sleepers.length < 2) add(who, GO);
        else for (const sleeper of sleepers) add(who, WAKES + sleeper.index);
      } else if (who.woken) add(who, GO);
      else {
        if (who.early > 0) add(who, EARLY);
        if (Number.isFinite(step.limit!.deadline)) add(who, TIME_OUT);
        if (step.limit!.signal !== undefined) add(who, ABORT);
      }
    }
    if (moves.length === 0 && this.participants.some(({ dead }) => dead)) {
      for (const who of this.participants) {
        if (who.asleep && !who.dead && !this.#isIdle(who)) add(who, EARLY);
      }
    }
    for (const who of this.participants) {
      if (who.mortal && !who.done && !who.dead) add(who, DIE);
    }
    return moves;
  }

  /** On which word a slice of each has ended since something was last changed: another one would be the same. */
  readonly #idled = new Map<Participant, number>();

  #isIdle(who: Participant): boolean {
    return this.#idled.get(who) === who.step.seat.at + who.step.at;
  }

  #sleepersOn({ seat, at }: Step): Participant[] {
    return this.participants.filter(({ asleep, woken, dead, step }) =>
      asleep && !woken && !dead && step.seat.at + step.at === seat.at + at
    );
  }

  make(move: number): void {
    const who = this.participants[move >> 8];
    const what = move & 255;
    this.touched = { agent: who.index, reads: [], writes: [] };
    if (what === DIE) this.#die(who);
    else if (who.asleep) this.#wakeUp(who, what);
    else this.#go(who, what);
    if (!this.again) { for (const check of this.invariants) check(); }
  }

  /** Word 0 stands for who lives. */
  #die(who: Participant): void {
    who.dead = true;
    this.touched.writes.push(0, -1 - who.index);
    if (who.asleep) this.touched.writes.push(this.#queueOf(who.step));
    this.#idled.clear();
    this.trace?.push(`${who.name} dies`);
  }

  #wakeUp(who: Participant, what: number): void {
    const { step } = who;
    const index = step.seat.at + step.at;
    const changed = this.words[index] !== step.a;
    const why = changed ? CHANGED : what === TIME_OUT ? LATE : what === ABORT ? ABORTED : SLICE;
    if (what === EARLY) {
      if (who.early > 0) who.early--;
      // Whether nobody else could go on depends on everybody.
      this.participants.forEach((_, i) => this.touched.writes.push(-1 - i));
      if (!changed) this.#idled.set(who, index);
    }
    this.touched.reads.push(index);
    this.touched.writes.push(this.#queueOf(step));
    who.asleep = who.woken = false;
    this.trace?.push(`${who.name} wakes up: ${["changed", "slice", "late", "aborted"][why]}`);
    this.#advance(who, why);
  }

  /** Who sleeps on a word is something that can be touched, too. */
  #queueOf(step: Step): number {
    return WORDS + step.seat.at + step.at;
  }

  #go(who: Participant, what: number): void {
    const { step } = who;
    this.touched.writes.push(-1 - who.index);
    const result = this.#plant?.(step, who, this) ?? this.#perform(who, what);
    if (result === undefined) return;
    this.trace?.push(
      `${who.name} ${KINDS[step.kind]} ${step.at}(${step.a}, ${step.b}) gives ${result}`,
    );
    this.#advance(who, result);
  }

  #perform(who: Participant, what: number): number | undefined {
    const { step } = who;
    const { words, touched: { reads, writes } } = this;
    const index = step.seat.at + step.at;
    const was = words[index];
    const write = (value: number) => {
      if (value !== was) {
        writes.push(index);
        this.#idled.clear();
      } else reads.push(index);
      words[index] = value;
      return was;
    };
    switch (step.kind) {
      case LOAD:
        reads.push(index);
        return was;
      case STORE:
      case SWAP:
        return write(step.a);
      case ADD:
        return write(was + step.a);
      case CAS:
        return write(was === step.a ? step.b : was);
      case GONE:
        reads.push(0);
        return this.isGone(step.a) ? 1 : 0;
      case WAKE: {
        const sleepers = this.#sleepersOn(step);
        const chosen = what >= WAKES
          ? [this.participants[what - WAKES]]
          : sleepers.slice(0, step.a);
        for (const sleeper of chosen) {
          sleeper.woken = true;
          writes.push(-1 - sleeper.index);
        }
        writes.push(this.#queueOf(step));
        return 0;
      }
      case SLEEP:
        reads.push(index);
        if (was !== step.a) return CHANGED;
        if (step.limit!.deadline === -Infinity) return LATE;
        writes.push(this.#queueOf(step));
        who.asleep = true;
        this.trace?.push(`${who.name} sleeps on ${step.at} while ${step.a}`);
        return undefined;
      default:
        throw new TypeError(`Unknown step ${step.kind}`);
    }
  }

  #advance(who: Participant, result: number): void {
    const next = who.life.next(result);
    if (next.done) who.done = true;
    else Object.assign(who.step, next.value);
  }

  describeStuck(): string {
    const asleep = this.participants.filter(({ asleep, dead }) => asleep && !dead);
    return `${asleep.map(({ name }) => name).join(", ")} sleep for ever`;
  }

  checkClean(): void {}
}
