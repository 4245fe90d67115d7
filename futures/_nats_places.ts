/**
 * Where a worker's calls run: threads or processes, each for a call at a time. When one dies, it is known over which call.
 *
 * To wake a thread costs more than a tiny call. So calls that are known to be quick share one that is awake: it has some at hand, and
 * runs one after the other. They are of those that the server has handed over for the worker's places, so for the server nothing is
 * different: each is given out once, and its lease is renewed. Nor is it for the calls:
 * - A call does not wait behind one that turns out to be long: 1. Every now and then it is looked whether a thread still runs what it
 *   ran the last time. 2. What is behind that, is taken back; whether it was begun is decided by one word that both sides change by a
 *   compare-exchange. 3. What was taken back, gets a thread of its own.
 * - When a thread ends, the call that it ran is to blame, and no other. It takes them in order, and a call is answered before the next
 *   one is begun; answers are handled before the end. So the oldest one without an answer is the one that ran; those behind it were
 *   not begun, and run elsewhere.
 *
 * @module
 */
import { canStopThreads } from "../threading/_core/mod.ts";
import { runCall } from "./_nats_run.ts";
import { type Call, ranIn } from "./_nats_wire.ts";
import { BrokenExecutor } from "./errors.ts";
import type { Executor } from "./executor.ts";
import { type Future, hasFailed } from "./future.ts";

/** A call that is to run, or runs. */
interface Job {
  readonly call: Call;
  readonly message: Uint8Array;
  readonly signal: AbortSignal;
  readonly name: string;
  /** Milliseconds that it will take; `Infinity`: unknown, or long. */
  pace: number;
  future: Future<Uint8Array> | undefined;
  /** It is being taken back. */
  moving: boolean;
  readonly resolve: (result: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** A thread, or a process. */
interface Place {
  readonly pool: Executor;
  /** What was handed to it and has not ended, in order: the first one runs. */
  readonly jobs: Job[];
  /** The sum of their paces. */
  load: number;
  /** What it ran when it was last looked. */
  seen: Job | undefined;
  /** What it ran when it ended. */
  guilty: Job | undefined;
}

/** Milliseconds of work that a place may have at hand. */
const AT_HAND = 1;
/** Milliseconds between two looks at those that have more than one call. */
const LOOK = 5;
/** How much the last call weighs in what the next one will take. */
const WEIGHT = 0.2;
/** Names that are remembered. */
const NAMES = 1_000;

/** Other limits than the usual ones, in milliseconds: tests must not depend on how quick their machine is. */
export interface PlacesLimits {
  /** Work that a place may have at hand. */
  readonly atHand?: number;
  /** Between two looks. */
  readonly look?: number;
}

/** See the head of this file. */
export class Places {
  readonly #make: () => Executor;
  readonly #mayShare: boolean;
  readonly #atHand: number;
  readonly #every: number;
  /** Where nothing runs; they are made when they are needed. */
  readonly #idle: Place[] = [];
  /** The one that quick calls are given to. */
  #shared: Place | undefined;
  /** Those that have, or had, more than one call. */
  readonly #crowded = new Set<Place>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Milliseconds that calls take, by name. */
  readonly #paces = new Map<string, number>();
  /** Ends of places. */
  readonly #ends = new Set<Promise<void>>();

  /** `threads`: what `make` gives has one thread. */
  constructor(make: () => Executor, threads: boolean, limits: PlacesLimits = {}) {
    this.#make = make;
    this.#mayShare = threads && canStopThreads();
    this.#atHand = limits.atHand ?? AT_HAND;
    this.#every = limits.look ?? LOOK;
  }

  /**
   * Makes a call. Gives the message of its result.
   *
   * @throws {BrokenExecutor} when its thread or process has ended over it.
   * @throws what it was stopped for.
   */
  run(call: Call, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const name = nameOf(call);
    const pace = this.#mayShare && call.timeout === undefined
      ? this.#paces.get(name) ?? Infinity
      : Infinity;
    return new Promise((resolve, reject) =>
      this.#begin({
        call,
        message,
        signal,
        name,
        pace,
        future: undefined,
        moving: false,
        resolve,
        reject,
      })
    );
  }

  #begin(job: Job): void {
    const { signal, message, call: { timeout } } = job;
    for (;;) {
      const known = this.#sharedFor(job) ?? this.#idle.pop();
      const place = known ??
        { pool: this.#make(), jobs: [], load: 0, seen: undefined, guilty: undefined };
      try {
        job.future = place.pool.with({ signal, timeout }).submit(runCall, message);
      } catch (error) {
        this.#end(place);
        // It ended while nothing ran in it.
        if (known !== undefined) continue;
        return job.reject(error);
      }
      place.jobs.push(job);
      place.load += job.pace;
      if (job.pace <= this.#atHand) this.#shared = place;
      if (place.jobs.length > 1) this.#watch(place);
      job.future.addDoneCallback(() => this.#ended(place, job));
      return;
    }
  }

  /** Where it may be run after others. */
  #sharedFor({ pace }: Job): Place | undefined {
    const place = this.#shared;
    if (place === undefined || place.jobs.length === 0) return undefined;
    return place.load + pace <= this.#atHand ? place : undefined;
  }

  #ended(place: Place, job: Job): void {
    if (job.moving) return;
    const future = job.future!;
    if (hasFailed(future)) {
      const error: unknown = future.exceptionSync();
      if (error instanceof BrokenExecutor) return this.#broke(place, job, error);
      this.#take(place, job);
      return job.reject(error);
    }
    this.#take(place, job);
    const result = future.resultSync();
    this.#learn(job.name, ranIn(result));
    job.resolve(result);
  }

  /** The thread or process has ended, and this is one of the calls that it had. */
  #broke(place: Place, job: Job, error: BrokenExecutor): void {
    if (place.guilty === undefined) {
      place.guilty = place.jobs[0];
      this.#end(place);
    }
    place.jobs.splice(place.jobs.indexOf(job), 1);
    if (job === place.guilty) return job.reject(error);
    this.#runAlone(job);
  }

  #runAlone(job: Job): void {
    job.pace = Infinity;
    this.#begin(job);
  }

  /** A call is not the place's any more. */
  #take(place: Place, job: Job): void {
    const { jobs } = place;
    if (jobs[0] === job) jobs.shift();
    else jobs.splice(jobs.indexOf(job), 1);
    // Anew where that can be: sums of fractions drift.
    place.load = jobs.length === 0 ? 0 : place.load - job.pace;
    if (jobs.length === 0) this.#idle.push(place);
  }

  #learn(name: string, ran: number): void {
    const before = this.#paces.get(name) ?? ran;
    if (this.#paces.size > NAMES) this.#paces.clear();
    // A long one counts at once, quick ones little by little.
    this.#paces.set(name, Math.max(ran, before + (ran - before) * WEIGHT));
  }

  #watch(place: Place): void {
    this.#crowded.add(place);
    this.#timer ??= setTimeout(() => this.#look(), this.#every);
  }

  /** Whoever waits behind a call that is long, goes elsewhere. */
  #look(): void {
    this.#timer = undefined;
    for (const place of this.#crowded) {
      const [first, ...others] = place.jobs;
      if (others.length === 0 || place.guilty !== undefined) {
        this.#crowded.delete(place);
        place.seen = undefined;
      } else if (first !== place.seen) place.seen = first;
      else {
        this.#learn(first.name, this.#every);
        this.#relieve(place, others);
      }
    }
    if (this.#crowded.size > 0) this.#timer ??= setTimeout(() => this.#look(), this.#every);
  }

  #relieve(place: Place, jobs: Job[]): void {
    if (this.#shared === place) this.#shared = undefined;
    for (const job of jobs) {
      job.moving = true;
      const taken = job.future!.cancel();
      job.moving = false;
      // It was begun after all, and those behind it will be.
      if (!taken) return;
      this.#take(place, job);
      this.#runAlone(job);
    }
  }

  #end(place: Place): void {
    if (this.#shared === place) this.#shared = undefined;
    const end: Promise<void> = place.pool.shutdown().catch(() => {}).finally(() =>
      this.#ends.delete(end)
    );
    this.#ends.add(end);
  }

  /** Ends all of them, when nothing runs any more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    for (const place of this.#idle.splice(0)) this.#end(place);
    await Promise.all(this.#ends);
  }
}

function nameOf({ alias, path, named, chunk }: Call): string {
  return `${alias} ${named ? "task" : chunk === 0 ? "call" : "chunk"} ${path.join(" ")}`;
}
