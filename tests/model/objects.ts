/**
 * The public classes as slow paths: their fast paths step by step, then the engine room's own generators, called as the classes call
 * them. Change them together with `threading/*.ts`.
 *
 * @module
 */
import { attendAsync, attendSync, type Body } from "../../threading/_core/call.ts";
import { FOREVER, type Limit } from "../../threading/_core/clock.ts";
import { add, cas, load, type Slow, store, swap } from "../../threading/_core/drive.ts";
import { ABANDONED, type Cell, HEAD, LATE, LOCK, TAIL } from "../../threading/_core/lot.ts";
import type { Revocable } from "../../threading/_core/park.ts";
import * as barrier from "../../threading/_core/primitives/barrier.ts";
import * as condition from "../../threading/_core/primitives/condition.ts";
import * as event from "../../threading/_core/primitives/event.ts";
import { MUTEX } from "../../threading/_core/primitives/mutex.ts";
import {
  acquire,
  release,
  revocable,
  type Rule,
  STATE,
  WAITERS,
} from "../../threading/_core/primitives/permits.ts";
import { semaphoreRule } from "../../threading/_core/primitives/semaphore.ts";
import {
  A_BLOCKED,
  ASYNC,
  GRANTED,
  SYNC,
  W_AGENT,
  W_FORM,
  W_NEXT,
  W_PREV,
  W_STATE,
  WAITING,
} from "../../threading/_core/words.ts";
import { ABORTABLE, type Agent, LIMITED, pause, type World } from "./world.ts";

/** How a waiting call ended. */
export type Outcome = "got" | "late" | "aborted";

/** Both forms of a waiting call, with the limits that it can have. */
export const CALLS: readonly { name: string; form: number; limit: Limit }[] = [
  { name: "sync", form: SYNC, limit: FOREVER },
  { name: "sync limited", form: SYNC, limit: LIMITED },
  { name: "async", form: ASYNC, limit: FOREVER },
  { name: "async limited", form: ASYNC, limit: LIMITED },
  { name: "async abortable", form: ASYNC, limit: ABORTABLE },
];

function outcomeOf(settled: number): Outcome {
  return settled > 0 ? "got" : settled === ABANDONED ? "aborted" : "late";
}

/** A call of either colour, as call.ts makes it. */
function* call(
  world: World,
  agent: Agent,
  form: number,
  limit: Limit,
  body: Body,
  taken?: Revocable,
): Slow<number> {
  if (form !== ASYNC) return yield* attendSync(agent.site, limit, body);
  const settled = yield* attendAsync(agent.site, body, taken);
  if (world.quirks.atOnce !== true) yield pause(world);
  return settled;
}

/** The waiters of a lot, first to last. */
export function waitersOf(world: World, at: number): number[] {
  const waiters: number[] = [];
  for (let waiter = world.words[at + HEAD]; waiter !== 0;) {
    if (waiters.push(waiter) > 100) throw new Error("The lot's queue is a ring");
    waiter = world.words[waiter + W_NEXT];
  }
  return waiters;
}

/** The queue is well linked, and exactly its waiters wait. Holds between any two moves. */
export function checkLot(world: World, at: number): void {
  const { words } = world;
  let previous = 0;
  for (const waiter of waitersOf(world, at)) {
    if (words[waiter + W_PREV] !== previous) throw new Error("The lot's queue is badly linked");
    if (words[waiter + W_STATE] !== WAITING) throw new Error("A waiter in the lot does not wait");
    previous = waiter;
  }
  if (words[at + TAIL] !== previous) throw new Error("The lot's last waiter is not its last");
}

/** The lot is empty and unlocked. */
function checkEmpty(world: World, at: number): void {
  if (world.words[at + LOCK] !== 0) throw new Error("The lot is locked at the end");
  if (world.words[at + HEAD] !== 0) throw new Error("Somebody is in the lot at the end");
  if (world.words[at + TAIL] !== 0) throw new Error("The empty lot has a last waiter");
}

/** What locks and semaphores have in common, with what has to hold for them at every moment. */
class Permits {
  readonly world: World;
  readonly at: number;
  readonly rule: Rule;
  /** A word that says how many are inside. */
  readonly #inside: number;
  #queue: number[] = [];

  constructor(world: World, name: string, rule: Rule, state: number) {
    this.world = world;
    this.rule = rule;
    this.at = world.room(name, 7, ["lock", "head", "tail", "state", "flow", "count", "inside"]);
    this.#inside = this.at + 6;
    world.words[this.at + STATE] = state;
    world.invariants.push(() => this.#check());
  }

  cell(agent: Agent): Cell {
    return this.world.cell(agent, this.at);
  }

  *wait(agent: Agent, form: number, limit: Limit): Slow<number> {
    const cell = this.cell(agent);
    const body: Body = (waiter) => acquire(cell, this.rule, waiter, limit);
    return yield* call(this.world, agent, form, limit, body, revocable(cell, this.rule));
  }

  /** Is inside for a while: at most `most` may be. */
  *visit(most = 1): Slow<void> {
    const { words } = this.world;
    if ((yield add(words, this.#inside, 1)) >= most) throw new Error(`More than ${most} inside`);
    yield add(words, this.#inside, -1);
  }

  #check(): void {
    const { words } = this.world;
    checkLot(this.world, this.at);
    const queue = waitersOf(this.world, this.at);
    const somebody = queue.length > 0;
    if (words[this.at + LOCK] === 0 && somebody !== ((words[this.at + STATE] & WAITERS) === 1)) {
      throw new Error(`Bit 0 of the state says ${!somebody} to "somebody waits"`);
    }
    if (words[this.at + STATE] < 0) throw new Error("The state is negative");
    this.#checkOrder(queue);
    this.#queue = queue;
  }

  /** Nobody was granted while somebody of the same form, who could run, was in front. */
  #checkOrder(queue: number[]): void {
    const { words } = this.world;
    this.#queue.forEach((waiter, index) => {
      if (queue.includes(waiter) || words[waiter + W_STATE] !== GRANTED) return;
      for (const earlier of this.#queue.slice(0, index)) {
        if (!queue.includes(earlier) || words[earlier + W_FORM] !== words[waiter + W_FORM]) {
          continue;
        }
        if (
          words[earlier + W_FORM] === ASYNC && words[words[earlier + W_AGENT] + A_BLOCKED] === 1
        ) {
          continue;
        }
        throw new Error("A waiter overtook another");
      }
    });
  }

  checkEnd(state: number): void {
    checkEmpty(this.world, this.at);
    const found = this.world.words[this.at + STATE];
    if (found !== state) throw new Error(`The state is ${found} at the end, not ${state}`);
  }
}

/** `Lock`. */
export class ModelLock extends Permits {
  constructor(world: World, name = "lock", rule: Rule = MUTEX) {
    super(world, name, rule, 0);
  }

  *acquire(agent: Agent, form: number, limit: Limit = FOREVER): Slow<Outcome> {
    const { words } = this.world;
    if ((yield cas(words, this.at + STATE, 0, agent.site.agent << 1)) === 0) return "got";
    return outcomeOf(yield* this.wait(agent, form, limit));
  }

  *release(agent: Agent): Slow<boolean> {
    const { words } = this.world;
    const mine = agent.site.agent << 1;
    if ((yield cas(words, this.at + STATE, mine, 0)) === mine) return true;
    return yield* release(this.cell(agent), this.rule, 1);
  }

  /** Acquires, is inside, releases. */
  *turn(agent: Agent, form: number, limit: Limit = FOREVER): Slow<Outcome> {
    const outcome = yield* this.acquire(agent, form, limit);
    if (outcome !== "got") return outcome;
    yield* this.visit();
    if (!(yield* this.release(agent))) throw new Error("The lock was not locked");
    return outcome;
  }
}

const FLOW = STATE + 1;
const COUNT = STATE + 2;

/** `RLock`. Flow 1 is the blocking one. */
export class ModelRLock extends Permits {
  constructor(world: World, name = "rlock") {
    super(world, name, MUTEX, 0);
  }

  *acquire(agent: Agent, flow: number, limit: Limit = FOREVER): Slow<Outcome> {
    const { words } = this.world;
    if (yield* this.ownedBy(agent, flow)) {
      yield add(words, this.at + COUNT, 1);
      return "got";
    }
    if ((yield cas(words, this.at + STATE, 0, agent.site.agent << 1)) !== 0) {
      const outcome = outcomeOf(yield* this.wait(agent, flow === 1 ? SYNC : ASYNC, limit));
      if (outcome !== "got") return outcome;
    }
    yield store(words, this.at + FLOW, flow);
    yield store(words, this.at + COUNT, 1);
    return "got";
  }

  *ownedBy(agent: Agent, flow: number): Slow<boolean> {
    const { words } = this.world;
    if ((yield load(words, this.at + STATE)) >> 1 !== agent.site.agent) return false;
    return (yield load(words, this.at + FLOW)) === flow;
  }

  *release(agent: Agent, flow: number): Slow<boolean> {
    const { words } = this.world;
    if (!(yield* this.ownedBy(agent, flow))) return false;
    if ((yield add(words, this.at + COUNT, -1)) > 1) return true;
    yield store(words, this.at + FLOW, 0);
    const mine = agent.site.agent << 1;
    if ((yield cas(words, this.at + STATE, mine, 0)) === mine) return true;
    return yield* release(this.cell(agent), this.rule, 1);
  }
}

/** `Semaphore` and `BoundedSemaphore`. */
export class ModelSemaphore extends Permits {
  readonly permits: number;

  constructor(world: World, permits: number, bound = 1000, name = "semaphore") {
    super(world, name, semaphoreRule(bound), permits << 1);
    this.permits = permits;
  }

  *acquire(agent: Agent, form: number, limit: Limit = FOREVER): Slow<Outcome> {
    const { words } = this.world;
    for (;;) {
      const seen = yield load(words, this.at + STATE);
      if ((seen & 1) === 1 || seen === 0) break;
      if ((yield cas(words, this.at + STATE, seen, seen - 2)) === seen) return "got";
    }
    return outcomeOf(yield* this.wait(agent, form, limit));
  }

  *release(agent: Agent, count = 1): Slow<boolean> {
    return yield* release(this.cell(agent), this.rule, count);
  }

  /** Acquires, is inside, releases. */
  *turn(agent: Agent, form: number, limit: Limit = FOREVER): Slow<Outcome> {
    const outcome = yield* this.acquire(agent, form, limit);
    if (outcome !== "got") return outcome;
    yield* this.visit(this.permits);
    if (!(yield* this.release(agent))) throw new Error("One permit too many");
    return outcome;
  }
}

/** `Event`. */
export class ModelEvent {
  readonly world: World;
  readonly at: number;

  constructor(world: World, name = "event") {
    this.world = world;
    this.at = world.room(name, 4, ["lock", "head", "tail", "flag"]);
    world.invariants.push(() => checkLot(world, this.at));
  }

  *set(agent: Agent): Slow<void> {
    const { words } = this.world;
    if ((yield load(words, this.at + event.FLAG)) !== 0) return;
    yield* event.set(this.world.cell(agent, this.at));
  }

  *clear(): Slow<void> {
    yield store(this.world.words, this.at + event.FLAG, 0);
  }

  *wait(agent: Agent, form: number, limit: Limit = FOREVER): Slow<Outcome> {
    if ((yield load(this.world.words, this.at + event.FLAG)) !== 0) return "got";
    const body: Body = (waiter) => event.wait(this.world.cell(agent, this.at), waiter, limit);
    return outcomeOf(yield* call(this.world, agent, form, limit, body));
  }

  checkEnd(): void {
    checkEmpty(this.world, this.at);
  }
}

/** `Condition` on a `Lock`. */
export class ModelCondition {
  readonly world: World;
  readonly lock: ModelLock;
  readonly at: number;

  constructor(world: World, lock: ModelLock, name = "condition") {
    this.world = world;
    this.lock = lock;
    this.at = world.room(name, 3, ["lock", "head", "tail"]);
    world.invariants.push(() => checkLot(world, this.at));
  }

  /** With the lock held; it is held again afterwards. */
  *wait(agent: Agent, form: number, limit: Limit = FOREVER): Slow<Outcome> {
    const cell = this.world.cell(agent, this.at);
    const { lock } = this;
    const settled = yield* call(this.world, agent, form, limit, function* (waiter) {
      yield* condition.enter(cell, waiter);
      if (!(yield* lock.release(agent))) {
        yield* condition.leave(cell, waiter);
        return LATE;
      }
      return yield* condition.wait(cell, waiter, limit);
    });
    yield* lock.acquire(agent, form);
    return outcomeOf(settled);
  }

  *notify(agent: Agent, count = 1): Slow<void> {
    yield* condition.notify(this.world.cell(agent, this.at), count);
  }

  checkEnd(): void {
    checkEmpty(this.world, this.at);
    this.lock.checkEnd(0);
  }
}

/** How a barrier's `wait` ended: an index, or why not. */
export type Arrival = number | "broken" | "aborted";

/** `Barrier`. */
export class ModelBarrier {
  readonly world: World;
  readonly at: number;
  readonly parties: number;
  /** A word that is 1 while an action runs. */
  readonly #acting: number;

  constructor(world: World, parties: number, name = "barrier") {
    this.world = world;
    this.parties = parties;
    this.at = world.room(name, 8, [
      "lock",
      "head",
      "tail",
      "parties",
      "arrived",
      "mode",
      "round",
      "acting",
    ]);
    this.#acting = this.at + 7;
    world.words[this.at + barrier.PARTIES] = parties;
    world.invariants.push(() => checkLot(world, this.at));
  }

  cell(agent: Agent): Cell {
    return this.world.cell(agent, this.at);
  }

  *wait(agent: Agent, form: number, limit: Limit = FOREVER, fails = false): Slow<Arrival> {
    const cell = this.cell(agent);
    let index = 0;
    const settled = yield* call(this.world, agent, form, limit, function* (waiter) {
      const settled = yield* barrier.arrive(cell, waiter, limit);
      if (settled === barrier.PASSED || settled === barrier.LEAD) {
        index = barrier.indexOf(cell, waiter);
      }
      return settled;
    });
    if (settled === barrier.PASSED) return index;
    if (settled === barrier.LEAD) return yield* this.#lead(agent, fails, index);
    return settled === ABANDONED ? "aborted" : "broken";
  }

  *#lead(agent: Agent, fails: boolean, round: number): Slow<Arrival> {
    const { words } = this.world;
    yield swap(words, this.#acting, 1);
    yield store(words, this.#acting, 0);
    if (fails) {
      yield* this.abort(agent);
      return "broken";
    }
    return (yield* barrier.finish(this.cell(agent), round)) ? this.parties - 1 : "broken";
  }

  *abort(agent: Agent): Slow<void> {
    yield* barrier.abort(this.cell(agent));
  }

  *reset(agent: Agent): Slow<void> {
    yield* barrier.reset(this.cell(agent));
  }

  checkEnd(mode: number = barrier.FILLING): void {
    checkEmpty(this.world, this.at);
    const { words } = this.world;
    if (words[this.at + barrier.MODE] !== mode) {
      throw new Error(`The mode is ${words[this.at + barrier.MODE]} at the end, not ${mode}`);
    }
    if (words[this.at + barrier.ARRIVED] !== 0) throw new Error("Somebody has arrived at the end");
  }
}
