/**
 * The gate of a queue as the explorer sees it: queue/_gate.ts's own slow paths on words of the world, and a store whose items are
 * watched. `tryPut`, `tryGet` and `taskDone` of the gate are the slow paths with all steps made at once; here they are the slow
 * paths with a deadline of `-Infinity`.
 *
 * @module
 */
import { attendAsync, attendSync, type Body } from "../../threading/_core/call.ts";
import { FOREVER, type Limit } from "../../threading/_core/clock.ts";
import type { Slow } from "../../threading/_core/drive.ts";
import { ABANDONED, HEAD, LATE } from "../../threading/_core/lot.ts";
import type { Revocable } from "../../threading/_core/park.ts";
import { ASYNC, GRANTED, SYNC, W_DATA, W_FORM } from "../../threading/_core/words.ts";
import { Gate } from "../../queue/_gate.ts";
import { checkLot, waitersOf } from "./objects.ts";
import { type Agent, pause, type World } from "./world.ts";

/** How a call ended. */
export type Outcome = "got" | "late" | "aborted" | "closed";

const LOCK = 0;
/** Where the lots are. */
export const GETTERS = 0;
/** See {@linkcode GETTERS}. */
export const PUTTERS = 3;
/** See {@linkcode GETTERS}. */
export const JOINERS = 6;
const COUNT = 9;
const DUE = 10;
const ROOM = 11;
const MAXSIZE = 12;
const UNFINISHED = 13;
const SHUT = 14;
const FLYING = 15;
const OFFERED = 16;
/** The getter that looks out. */
export const LOOKOUT = 17;
const WATCH = 19;
/** The getter that is being woken. */
export const FLIER = 20;
const WORDS = 30;

/** A gate, or one with a bug. */
export type GateClass = typeof Gate;

/** A queue. Items are numbers that nobody puts twice. */
export class ModelQueue {
  readonly world: World;
  readonly at: number;
  readonly store: number[] = [];
  readonly put: number[] = [];
  readonly taken: number[] = [];
  readonly dropped: number[] = [];
  readonly done: Set<number> = new Set();
  /** Whether putters that wait leave their items, unless told otherwise. */
  offers = true;
  /** Whether getters that block look out before they do. */
  lookouts = true;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #maxsize: number;
  readonly #class: GateClass;
  /** What the putters want to put, by waiter. */
  readonly #itemsOf = new Map<number, number>();
  readonly #gates = new Map<Agent, Gate>();

  constructor(world: World, maxsize: number, gate: GateClass = Gate) {
    this.world = world;
    this.#maxsize = maxsize;
    this.#class = gate;
    this.at = world.room("queue", WORDS, [
      ...["lock", "get.head", "get.tail", "-", "put.head", "put.tail", "-", "join.head"],
      ...["join.tail", "count", "due", "room", "maxsize", "unfinished", "shut"],
      ...["flying", "offered", "lookout", "passed", "watch", "flier"],
    ]);
    this.#words = world.words.subarray(this.at, this.at + WORDS);
    this.#words[MAXSIZE] = maxsize;
    world.invariants.push(() => this.#check());
  }

  /** The gate as an agent has it. */
  gate(agent: Agent): Gate {
    let gate = this.#gates.get(agent);
    if (gate === undefined) {
      gate = new this.#class(
        this.#maxsize,
        this.#words,
        (count, behind) => this.#retract(count, behind),
        agent.site,
      );
      this.#gates.set(agent, gate);
    }
    return gate;
  }

  #retract(count: number, behind: number): void {
    const end = this.store.length - behind;
    for (const item of this.store.splice(end - count, count)) {
      this.put.splice(this.put.indexOf(item), 1);
    }
  }

  /** Steps on the gate's words, as steps on the world's. */
  *#inWorld<R>(slow: Slow<R>): Slow<R> {
    let next = slow.next(0);
    while (!next.done) {
      const step = next.value;
      if (step.words === this.#words) {
        step.words = this.world.words;
        step.at += this.at;
      }
      next = slow.next(yield step);
    }
    return next.value;
  }

  #revocableInWorld(revocable: Revocable): Revocable {
    return {
      revoke: (waiter) => this.#inWorld(revocable.revoke(waiter)),
      distribute: () => this.#inWorld(revocable.distribute()),
    };
  }

  *#call(
    agent: Agent,
    form: number,
    limit: Limit,
    body: Body,
    revocable?: Revocable,
  ): Slow<Outcome> {
    const inWorld: Body = (waiter) => this.#inWorld(body(waiter));
    let settled: number;
    if (form === SYNC) settled = yield* attendSync(agent.site, limit, inWorld);
    else {
      const taken = revocable && this.#revocableInWorld(revocable);
      settled = yield* attendAsync(agent.site, inWorld, taken);
      if (this.world.quirks.atOnce !== true) yield pause(this.world);
    }
    if (settled === GRANTED) return "got";
    return settled === ABANDONED ? "aborted" : settled === LATE ? "late" : "closed";
  }

  /** Puts an item. */
  *putItem(
    agent: Agent,
    form: number,
    item: number,
    limit: Limit = FOREVER,
    offers = this.offers,
  ): Slow<Outcome> {
    const gate = this.gate(agent);
    const push = () => {
      this.store.push(item);
      this.put.push(item);
    };
    const offer = () => {
      push();
      return true;
    };
    const body: Body = (waiter) => {
      this.#itemsOf.set(waiter, item);
      return gate.putting(waiter, limit, push, offers ? offer : undefined);
    };
    return yield* this.#call(agent, form, limit, body, gate.puttersRevocable);
  }

  /** Gets an item: its number, or how else the call ended. */
  *getItem(agent: Agent, form: number, limit: Limit = FOREVER): Slow<number | Outcome> {
    const gate = this.gate(agent);
    let item: number | undefined;
    const pop = () => {
      item = this.store.shift();
      if (item === undefined) throw new Error("Nothing was there to be taken");
      this.taken.push(item);
    };
    const body: Body = (waiter) => gate.getting(waiter, limit, pop, this.lookouts && form === SYNC);
    const outcome = yield* this.#call(agent, form, limit, body, gate.gettersRevocable);
    return item ?? outcome;
  }

  /** Gets items until the queue is closed, or the call is late or aborted; says so. */
  *drain(agent: Agent, form: number, limit: Limit = FOREVER): Slow<Outcome> {
    for (;;) {
      const got = yield* this.getItem(agent, form, limit);
      if (typeof got === "string") return got;
    }
  }

  /** Reports an item as done. */
  *report(agent: Agent, item: number): Slow<void> {
    this.done.add(item);
    if (!(yield* this.#inWorld(this.gate(agent).reporting()))) {
      throw new Error("No item was left to be done");
    }
  }

  *join(agent: Agent, form: number, limit: Limit = FOREVER): Slow<Outcome> {
    const gate = this.gate(agent);
    return yield* this.#call(agent, form, limit, (waiter) => gate.joining(waiter, limit));
  }

  *close(agent: Agent, immediate = false): Slow<void> {
    const clear = () => {
      this.dropped.push(...this.store.splice(0));
    };
    yield* this.#inWorld(this.gate(agent).closing(immediate ? clear : undefined));
  }

  /** Holds between any two moves. */
  #check(): void {
    for (const lot of [GETTERS, PUTTERS, JOINERS]) {
      if (lot === GETTERS || this.#words[LOCK] === 0) checkLot(this.world, this.at + lot);
    }
    if (this.#words[LOCK] !== 0) return;
    const words = this.#words;
    const items = words[COUNT] - words[OFFERED] - words[DUE];
    const places = this.#maxsize === 0
      ? Infinity
      : this.#maxsize - words[COUNT] + words[OFFERED] + words[FLYING] - words[ROOM];
    const lookout = words[LOOKOUT] !== 0;
    const awake = lookout || words[FLIER] !== 0;
    if (words[COUNT] !== this.store.length) throw new Error("The count is not that of the store");
    if (words[DUE] < 0 || words[ROOM] < 0) throw new Error("Fewer grants than none");
    if (places < 0) throw new Error("More is in the queue, or promised, than it holds");
    if (items < 0 && words[SHUT] === 0) throw new Error("More was promised than there is");
    if (words[FLYING] < 0 || words[OFFERED] < 0) throw new Error("Fewer than none");
    if (words[FLYING] > words[DUE]) throw new Error("Somebody is woken for nothing");
    if (
      items > 0 && this.#blocking(GETTERS) && !(awake && places > 0) && !(lookout && items === 1)
    ) throw new Error("A getter sleeps beside an item");
    if (places > 0 && this.#blocking(PUTTERS)) throw new Error("A putter sleeps beside a place");
    const putters = waitersOf(this.world, this.at + PUTTERS);
    const offering = putters.filter((waiter) => this.world.words[waiter + W_DATA] === 1);
    if (String(putters.slice(0, offering.length)) !== String(offering)) {
      throw new Error("An offer waits behind one who has made none");
    }
    const offers = this.store.slice(this.store.length - words[OFFERED]);
    if (String(offers) !== String(offering.map((waiter) => this.#itemsOf.get(waiter)))) {
      throw new Error("The offers are not those of the waiters");
    }
    if (words[OFFERED] > 0 && (words[ROOM] > 0 || places > 0 || words[SHUT] !== 0)) {
      throw new Error("An offer waits though there is room, or none to come");
    }
    if (words[UNFINISHED] === 0 && words[JOINERS + HEAD] !== 0) {
      throw new Error("A joiner waits for nothing");
    }
    if (words[SHUT] !== 0) {
      if (words[PUTTERS + HEAD] !== 0) throw new Error("A putter waits at a closed gate");
      if (words[GETTERS + HEAD] !== 0 && items <= 0) {
        throw new Error("A getter waits at a closed, empty queue");
      }
    }
  }

  #blocking(lot: number): boolean {
    return waitersOf(this.world, this.at + lot)
      .some((waiter) => this.world.words[waiter + W_FORM] !== ASYNC);
  }

  /** Nothing was lost or doubled, and nothing is left of anybody. */
  checkEnd(): void {
    const words = this.#words;
    for (
      const word of [
        LOCK,
        GETTERS + HEAD,
        PUTTERS + HEAD,
        JOINERS + HEAD,
        DUE,
        ROOM,
        FLYING,
        OFFERED,
        LOOKOUT,
        WATCH,
        FLIER,
      ]
    ) {
      if (words[word] !== 0) throw new Error(`Word ${word} of the gate is not 0 at the end`);
    }
    const came = [...this.taken, ...this.dropped, ...this.store].sort();
    if (String(came) !== String(this.put.toSorted())) {
      throw new Error(`Items ${this.put} were put, ${came} are accounted for`);
    }
  }

  /** Where the lots are in the world. */
  lot(at: number): number {
    return this.at + at;
  }
}
