/**
 * Workers, seen from the main thread: making them, giving them jobs, keeping a few parked for the next one. The only place that says
 * `new Worker`.
 *
 * Guarantees
 * - Only the main thread makes workers (one made inside a worker starts half a second late). Others ask it, and it answers while it
 *   is blocked in a `Sync` call too: a request is a message on a port that can be read without the event loop, a count of them, and
 *   a nudge.
 * - The program stays alive for jobs that are not daemons, and for nothing else: workers themselves do not keep it.
 * - How a worker stands is told in shared words (`A_STATUS`), because a worker that ends by `Deno.exit` or `self.close` sends nothing.
 *
 * Relies on: `receiveMessageOnPort` of `node:worker_threads` on a port of the web's kind; the ref method of web workers, which has
 * no name (where it is missing, a parked worker is ended at once, so that it does not keep the program alive).
 *
 * @module
 */
import { callAsync } from "./call.ts";
import { FOREVER, now } from "./clock.ts";
import { PicklingError } from "./errors.ts";
import { type Carrier, carryBy, type FrameTaker, hand as handTo, transferOf } from "./frames.ts";
import { freeAgent, makeAgent } from "./heap.ts";
import {
  type Body,
  bringToStop,
  type Death,
  killableNow,
  mustBeAbleToKill,
  nodeBody,
} from "./killable.ts";
import { endings, life, secret } from "./life.ts";
import { hasShownLife, isGone, nudge, SIGNS, sleep } from "./park.ts";
import { enterSection, leaveSection } from "./section.ts";
import type { Job, Keyed, Letter, ToMain, ToWorker } from "./protocol.ts";
import { here, isMain } from "./site.ts";
import { finish, finished, finishMain, listThreads, MAIN_IDENT } from "./threads.ts";
import {
  A_ALIVE,
  A_LOCKS,
  A_NEWS,
  A_PARK,
  A_REQUESTS,
  A_STATUS,
  BUSY,
  DEAD,
  DEATHS,
  GONE,
  MAIN_AGENT,
  NEXT_DEPOSIT,
  PARKED,
} from "./words.ts";

/** A worker and its agent. */
interface Seat {
  readonly worker: Body;
  readonly agent: number;
  /** What it is: jobs run in a worker of their own kind. */
  readonly kind: string;
  /** What it runs, and its way to us meanwhile; `undefined` while it is parked or retiring. */
  running: Running | undefined;
  /** Of one whose memory is capped: when it is asked next whether it lives, after how long again, and how often it can be. */
  readonly pulse: Pulse | undefined;
}

interface Pulse {
  next: number;
  pause: number;
  left: number;
}

interface Running {
  readonly job: Job;
  readonly port: MessagePort;
  /** The modules that have sent it frames, or got some from it. */
  readonly correspondents: Set<string>;
}

/** All workers by agent. On the main thread only. */
const seats = new Map<number, Seat>();
/** Those that wait for a job. */
const parked: Seat[] = [];
/** How many of those to keep, of each kind. */
const KEEP_PARKED = Math.max(2, navigator.hardwareConcurrency);

/** A worker's way to the main thread while it runs a job. */
let toMain: MessagePort | undefined;
let ourMainModule: string | undefined;
let ourKey: string | undefined;
// Taken before the user's code can put something else there.
const postFromWorker = (globalThis as unknown as Worker).postMessage?.bind(globalThis);

/**
 * Starts a job in a worker and returns at once.
 *
 * @throws {PicklingError} when the message is something that structured clone does not carry.
 * @throws {Deno.errors.NotCapable} when a permission is missing to start workers.
 */
export function launch(job: Job): void {
  const killable = killableNow();
  if (killable !== undefined) job = { ...job, killable };
  if (isMain()) begin(job);
  else tellMain({ kind: "job", job });
}

/** Sends a letter to another agent, or to this one. */
export function post(letter: Letter): void {
  if (isMain()) deliver(letter);
  else tellMain({ kind: "letter", letter });
}

/** See `frames.ts`. */
const carrier: Carrier = {
  up(module, frame) {
    if (toMain !== undefined) tellMain({ kind: "frame", module, frame }, transferOf(frame));
  },
  down(ident, module, frame) {
    const seat = seatOf(ident);
    if (seat === undefined) return;
    seat.running!.correspondents.add(module);
    give(seat, { kind: "frame", ident, module, frame }, transferOf(frame));
  },
  reaches: (ident) => seatOf(ident) !== undefined,
  hold: () => here().hold(),
  unhold: () => here().unhold(),
};

function seatOf(ident: number): Seat | undefined {
  for (const seat of seats.values()) if (seat.running?.job.thread.ident === ident) return seat;
}

function tellMain(message: ToMain, transfer: Transferable[] = []): void {
  const { ground, agent } = here();
  const port = toMain;
  // What goes on after a thread's end has only the way through the main thread's event loop.
  if (port === undefined) return send(() => postFromWorker({ key: ourKey, message }));
  enterSection();
  try {
    send(() => port.postMessage(message, transfer));
    Atomics.add(ground.words, agent + A_REQUESTS, 1);
    news();
  } finally {
    leaveSection();
  }
}

/** A worker has something for the main thread to look at; `first` happens before the main thread is woken to do so. */
export function news(first?: () => void): void {
  const { ground } = here();
  const main = Atomics.load(ground.words, MAIN_AGENT);
  Atomics.add(ground.words, main + A_NEWS, 1);
  first?.();
  nudge(ground, main);
}

/** A child process does not end before its threads have, but for daemons. */
async function waitForThreads(): Promise<void> {
  const others = () => listThreads().filter(({ ident, daemon }) => ident !== MAIN_IDENT && !daemon);
  for (let threads = others(); threads.length > 0; threads = others()) {
    for (const thread of threads) {
      await callAsync(here(), FOREVER, (waiter) => finished(thread, waiter, FOREVER));
    }
  }
}

function begin(job: Job): void {
  attend();
  endings.add(waitForThreads);
  serve();
  const kind = kindOf(job);
  const index = parked.findLastIndex((seat) => seat.kind === kind);
  const seat = index === -1 ? makeSeat(job) : parked.splice(index, 1)[0];
  const { words } = here().ground;
  Atomics.store(words, seat.agent + A_STATUS, BUSY);
  // A channel for each job: an open port is a resource, and nothing is to be left open when all threads have ended.
  const { port1: port, port2 } = new MessageChannel();
  try {
    secret();
    give(seat, { kind: "job", job, port: port2, life }, [port2]);
  } catch (error) {
    Atomics.store(words, seat.agent + A_STATUS, PARKED);
    parked.push(seat);
    port.close();
    throw error;
  }
  seat.running = { job, port, correspondents: new Set() };
  if (seat.pulse !== undefined) {
    capped++;
    heedTime();
  }
  if (!job.daemon) holdForJob();
}

function give(seat: Seat, message: ToWorker, transfer: Transferable[] = []): void {
  send(() => seat.worker.postMessage(message, transfer));
}

function send(post: () => void): void {
  try {
    post();
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "DataCloneError")) throw error;
    throw new PicklingError(`Cannot send a value to another thread: ${error.message}`, {
      cause: error,
    });
  }
}

let attending = false;

/** From now on the main thread listens to its workers, blocked or not. */
function attend(): void {
  if (attending) return;
  attending = true;
  carryBy(carrier);
  const site = here();
  site.serve = serve;
  site.listen();
}

function kindOf({ killable }: Job): string {
  return killable === undefined ? "web" : `node, ${killable.memoryLimit}`;
}

function makeSeat(job: Job): Seat {
  const entry = new URL("./entry.ts", import.meta.url);
  mustRead(entry.href, "start a thread");
  const { killable } = job;
  if (killable !== undefined) mustBeAbleToKill();
  const { ground, agent: main } = here();
  const worker = killable === undefined ? webBody(entry) : nodeBody(entry, killable.memoryLimit);
  const agent = makeAgent(ground, main);
  const pulse = killable?.memoryLimit === undefined ? undefined : { ...BEGINNING };
  const seat: Seat = { worker, agent, kind: kindOf(job), running: undefined, pulse };
  const key = crypto.randomUUID();
  give(seat, {
    kind: "place",
    ground: ground.buffer,
    agent,
    mainModule: mainModule(),
    key,
    killable: killable !== undefined,
  });
  worker.onMessage((data) => {
    // Whatever else the user's code posts over there is not for us.
    const keyed = data as Partial<Keyed> | null;
    if (keyed?.key === key) handle(seat, keyed.message!);
  });
  worker.onError((message, code) => {
    // Only what kills the entry module itself gets here, and running out of memory: it reports everything else.
    if (killable !== undefined && seat.running !== undefined) {
      return died(seat, message, code === "ERR_WORKER_OUT_OF_MEMORY");
    }
    if (!seats.has(agent)) return;
    complain(`A worker could not start: ${message}`);
    Atomics.store(ground.words, agent + A_STATUS, GONE);
    if (seat.running !== undefined) finish(seat.running.job.thread);
    settle(seat);
  });
  seats.set(agent, seat);
  return seat;
}

function webBody(entry: URL): Body {
  const worker = new Worker(entry, { type: "module" });
  setRef(worker, false);
  return {
    postMessage: (message, transfer) => worker.postMessage(message, transfer),
    terminate: () => worker.terminate(),
    onMessage: (fn) => worker.addEventListener("message", ({ data }) => fn(data)),
    onError: (fn) =>
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        fn(event.message, undefined);
      }),
  };
}

/** Ends a killable job at once, whatever it does. Its thread has then finished. Does nothing when it has ended before. */
export function kill(ident: number): void {
  if (!isMain()) return tellMain({ kind: "kill", ident });
  serve();
  const seat = seatOf(ident);
  if (seat?.running?.job.killable === undefined) return;
  if (dying.some((other) => other.seat === seat)) return;
  const each: Dying = {
    seat,
    loading: true,
    clean: false,
    until: now() + LONG_LOADING,
    next: 0,
    pause: 1,
  };
  if (put(each)) return;
  dying.push(each);
  reap();
}

/** Stops one that is to die, if it may be stopped now; `true` when it has settled, and is buried. */
function put(each: Dying): boolean {
  const { seat } = each;
  const how = bringToStop(seat.agent, now() < each.until);
  if (how === "loading") return false;
  // One that has settled ends by itself, and runs nothing of the user's any more.
  if (how === "settled") {
    bury(seat, true);
    return true;
  }
  seat.worker.terminate();
  Object.assign(each, {
    loading: false,
    clean: how === "clean",
    until: now() + LONG_DYING,
    next: 0,
    pause: 1,
  });
  return false;
}

/** Workers that have been killed and may still run: `terminate()` takes some milliseconds when all processors are busy. */
let dying: Dying[] = [];

interface Dying {
  readonly seat: Seat;
  /** Whether it imports modules, and was not terminated for that. */
  loading: boolean;
  /** Whether none of its waiters is in a lot. */
  clean: boolean;
  /** When it is given up. */
  until: number;
  /** It can be asked only so often: when it is asked next, and after how long again. */
  next: number;
  pause: number;
}
/** After so many milliseconds a worker is given up: it is in a call of the engine's that does not look at interrupts. */
const LONG_DYING = 500;
/** After so many milliseconds a worker that imports modules is terminated all the same: one of the user's computes while it is evaluated. */
const LONG_LOADING = 10_000;
let reaping = false;

/** Buries those that are dead, and comes back for the others. */
function reap(): void {
  const { words } = here().ground;
  const [round, later] = [dying, [] as typeof dying];
  dying = [];
  let pause = Infinity;
  for (const each of round) {
    // It has died on its own.
    if (each.seat.running === undefined) continue;
    const time = now();
    if (each.loading && time >= each.next && put(each)) continue;
    const gone = !each.loading && time >= each.next && isGone(words, each.seat.agent + A_ALIVE);
    if (gone || !each.loading && time > each.until) {
      bury(each.seat, each.clean && gone);
      continue;
    }
    later.push(each);
    if (time < each.next) continue;
    each.next = time + each.pause;
    each.pause = Math.min(each.pause * 1.3, 50);
  }
  dying.push(...later);
  for (const { next } of dying) pause = Math.min(pause, next - now());
  heedTime();
  if (dying.length === 0 || reaping) return;
  reaping = true;
  setTimeout(() => {
    reaping = false;
    reap();
    // Time goes on while the list is gone through, and Deno warns of negative delays.
  }, Math.max(0, pause));
}

/** How often a worker that is out of memory is looked for, in milliseconds; the questions that are kept for its end are not among these. */
const BEGINNING: Readonly<Pulse> = { next: 0, pause: 20, left: SIGNS - 40 };
const LONGER = 1.1;

/**
 * Looks for workers that have died for lack of memory, while this thread is blocked: else it is told by an event. They can be asked only
 * so often, so less and less: it is found after a tenth of the time that this thread was blocked while it had the worker.
 */
function feelPulses(): void {
  const { words } = here().ground;
  const time = now();
  for (const seat of [...seats.values()]) {
    const { pulse } = seat;
    if (pulse === undefined || seat.running === undefined || time < pulse.next) continue;
    if (pulse.left === 0 || !hasShownLife(words, seat.agent + A_ALIVE)) continue;
    if (dying.some((other) => other.seat === seat)) continue;
    pulse.left--;
    pulse.next = time + pulse.pause;
    pulse.pause *= LONGER;
    if (isGone(words, seat.agent + A_ALIVE)) died(seat, "JavaScript heap out of memory", true);
  }
}

/** Jobs whose memory is capped. */
let capped = 0;

/** How long this thread may sleep in a `Sync` call, in milliseconds, with what it has to look after. */
function heedTime(): void {
  here().within = dying.length > 0 ? 1 : capped > 0 ? BEGINNING.pause : Infinity;
}

/** A killable worker has ended on its own. */
function died(seat: Seat, message: string, memory: boolean): void {
  const { thread, killable } = seat.running!.job;
  seat.worker.terminate();
  bury(seat, false);
  const { owner, handler } = killable!;
  const death: Death = { ident: thread.ident, memory, message };
  deliver({ handler, message: death, to: owner, from: here().agent, returned: true });
}

/** The job of a worker is over. Gives it. */
function endJob(seat: Seat): Job {
  // What it asked for since we last read its requests.
  readRequests(seat);
  const { job, port, correspondents } = seat.running!;
  port.close();
  if (!job.daemon) unholdForJob();
  // Everything that it had sent was read.
  for (const module of correspondents) {
    handTo(module, (taker: FrameTaker) => taker.threadOver(job.thread.ident));
  }
  seat.running = undefined;
  if (seat.pulse !== undefined) {
    capped--;
    heedTime();
  }
  return job;
}

/** What is left to do for a worker that runs no more. `clean`: none of its waiters is in a lot. */
function bury(seat: Seat, clean: boolean): void {
  const { ground, agent: main } = here();
  const { words } = ground;
  const { thread } = endJob(seat);
  seats.delete(seat.agent);
  if (clean && Atomics.load(words, seat.agent + A_LOCKS) === 0) freeAgent(ground, seat.agent, main);
  else {
    Atomics.store(words, seat.agent + A_STATUS, DEAD);
    Atomics.add(words, DEATHS, 1);
    for (const agent of [main, ...seats.keys()]) nudge(ground, agent);
  }
  finish(thread);
}

/** The nameless method by which Deno's own code refs and unrefs a worker. */
const refSymbol = Object.getOwnPropertySymbols(Worker.prototype)
  .find((symbol) => symbol.description === undefined);

function setRef(worker: Worker, ref: boolean): void {
  if (refSymbol === undefined) return;
  (worker as unknown as Record<symbol, (ref: boolean) => void>)[refSymbol](ref);
}

/** How many jobs are running that are not daemons. */
let holding = 0;
/** Whether somebody waits for the main thread's end: then the event loop is left to come to its own end first. */
let watching = false;

function holdForJob(): void {
  holding++;
  if (!watching) here().hold();
}

function unholdForJob(): void {
  holding--;
  if (!watching) here().unhold();
}

/**
 * Somebody joins the main thread, which has ended when its event loop has nothing left to do but to wait for threads:
 * 1. those stop holding the event loop;
 * 2. it runs dry, and Deno asks whether that is the end;
 * 3. if threads are still running it is not: the main thread has finished, and they hold the event loop again.
 */
function watchForEnd(): void {
  if (watching) return;
  watching = true;
  for (let i = 0; i < holding; i++) here().unhold();
  addEventListener("beforeunload", (event) => {
    watching = false;
    for (let i = 0; i < holding; i++) here().hold();
    finishMain();
    if (holding > 0) event.preventDefault();
  }, { once: true });
}

/** The caller, on another thread, is about to wait for the main thread's end. */
export function joinsMain(): void {
  tellMain({ kind: "joins main" });
}

let serving = false;

/** Looks at what workers want: start what they ask for, deliver their letters, notice who is done. */
function serve(blocked = false): void {
  if (dying.length > 0) reap();
  if (blocked && capped > 0) feelPulses();
  const { ground: { words }, agent: main } = here();
  if (serving || Atomics.load(words, main + A_NEWS) === 0) return;
  serving = true;
  try {
    // A request that comes in while we look raises the count again.
    while (Atomics.exchange(words, main + A_NEWS, 0) !== 0) {
      // What a worker asked for comes before its end: a thread that was started by another keeps the program alive from the first.
      for (const seat of [...seats.values()]) readRequests(seat);
      for (const seat of [...seats.values()]) settle(seat);
    }
  } finally {
    serving = false;
  }
}

function readRequests(seat: Seat): void {
  // It was killed while we looked at others.
  if (seats.get(seat.agent) !== seat) return;
  const { words } = here().ground;
  while (Atomics.load(words, seat.agent + A_REQUESTS) > 0) {
    Atomics.sub(words, seat.agent + A_REQUESTS, 1);
    const message = receive<ToMain>(seat.running!.port);
    if (message !== undefined) handle(seat, message);
  }
}

function handle(seat: Seat, message: ToMain): void {
  switch (message.kind) {
    case "job":
      return beginFor(message.job);
    case "letter":
      return deliver(message.letter);
    case "frame": {
      const { running } = seat;
      if (running === undefined) return;
      const { ident } = running.job.thread;
      running.correspondents.add(message.module);
      return handTo(message.module, (taker) => taker.takeFrame(message.frame, ident));
    }
    case "kill":
      return kill(message.ident);
    case "joins main":
      return watchForEnd();
    case "deposit":
      return void deposits.set(message.id, { value: message.value, moves: message.moves });
    case "withdraw":
      return hand(seat, message.id, message.keep);
    case "discard":
      findDeposit(message.id, seat);
      return void deposits.delete(message.id);
  }
}

function beginFor(job: Job): void {
  try {
    begin(job);
  } catch (error) {
    finish(job.thread);
    complain(`A thread could not start: ${error}`);
  }
}

type Receive = (port: MessagePort) => { message: unknown } | undefined;
let receiveOnPort: Receive | undefined;

/** Reads a message without the event loop. `node:worker_threads` is loaded only when it is needed. */
function receive<T>(port: MessagePort): T | undefined {
  receiveOnPort ??= (globalThis as unknown as {
    process: { getBuiltinModule(name: string): { receiveMessageOnPort: Receive } };
  }).process.getBuiltinModule("node:worker_threads").receiveMessageOnPort;
  return receiveOnPort(port)?.message as T | undefined;
}

/**
 * The depot: what cannot be written as bytes (handles on shared memory, above all) waits on the main thread until whoever gets its
 * number asks for it. On the main thread only.
 */
const deposits = new Map<number, Deposit>();

/** What was left, and what of it moves on with it. */
interface Deposit {
  readonly value: unknown;
  readonly moves: readonly Transferable[];
}

/**
 * Leaves a copy of `value` in the depot, or what is in `transfer` itself, and gives its number, which one agent may
 * {@linkcode withdraw} once.
 *
 * @throws {PicklingError} when structured clone does not carry it.
 */
export function deposit(value: unknown, transfer: Transferable[] = []): number {
  const id = Atomics.add(here().ground.words, NEXT_DEPOSIT, 1);
  // What is moved goes twice, as a part of the value and by itself: on arrival both are the same object.
  const moves = transfer;
  if (isMain()) send(() => deposits.set(id, structuredClone({ value, moves }, { transfer })));
  else tellMain({ kind: "deposit", id, value, moves }, transfer);
  return id;
}

/**
 * Takes a value out of the depot, or a copy of it with `keep`. In a worker this blocks until the main thread has answered;
 * `undefined` when it is not there.
 */
export function withdraw(id: number, keep = false): unknown {
  if (isMain()) {
    // Whoever made the deposit told us before it gave the number away.
    if (!deposits.has(id)) serve();
    return keep ? structuredClone(deposits.get(id)?.value) : takeOut(id)?.value;
  }
  if (toMain === undefined) throw new PicklingError("Cannot receive a value: the thread has ended");
  tellMain({ kind: "withdraw", id, keep });
  const { ground: { words }, agent } = here();
  for (;;) {
    const seen = Atomics.load(words, agent + A_PARK);
    const answer = receive<[number, unknown]>(toMain);
    if (answer !== undefined) return answer[1];
    sleep(words, agent + A_PARK, seen);
  }
}

function takeOut(id: number): Deposit | undefined {
  const found = deposits.get(id);
  deposits.delete(id);
  return found;
}

/** Forgets a deposit. Does not wait, unlike {@linkcode withdraw}: it may be called with a lock held. */
export function discard(id: number): void {
  if (!isMain()) return tellMain({ kind: "discard", id });
  if (!deposits.has(id)) serve();
  deposits.delete(id);
}

/** The depositor's message may wait on a port that has not been read yet. */
function findDeposit(id: number, asker: Seat): void {
  if (deposits.has(id)) return;
  for (const other of [...seats.values()]) if (other !== asker) readRequests(other);
}

/** Answers a worker that has asked for a deposit. */
function hand(seat: Seat, id: number, keep: boolean): void {
  findDeposit(id, seat);
  const found = keep ? deposits.get(id) : takeOut(id);
  const value = found?.value;
  // Memory of its own that nobody will ask for again moves on: a copy would wait here for the garbage collector.
  const own = new Set(keep ? [] : found?.moves);
  if (!keep && value instanceof ArrayBuffer) own.add(value);
  seat.running?.port.postMessage([id, value], [...own]);
  nudge(here().ground, seat.agent);
}

/** Acts on a worker's status. */
function settle(seat: Seat): void {
  if (seats.get(seat.agent) !== seat) return;
  const status = Atomics.load(here().ground.words, seat.agent + A_STATUS);
  if (status === BUSY) return;
  if (seat.running !== undefined) {
    endJob(seat);
    if (status === PARKED) parkSeat(seat);
  }
  if (status === GONE && seats.delete(seat.agent)) dismiss(seat);
}

function parkSeat(seat: Seat): void {
  const alike = parked.filter(({ kind }) => kind === seat.kind).length;
  if (refSymbol !== undefined && alike < KEEP_PARKED) parked.push(seat);
  else give(seat, { kind: "retire" });
}

function dismiss(seat: Seat): void {
  const index = parked.indexOf(seat);
  if (index !== -1) parked.splice(index, 1);
  seat.worker.terminate();
  freeAgent(here().ground, seat.agent, here().agent);
}

function deliver(letter: Letter): void {
  if (letter.to === here().agent) return void open(letter);
  const seat = seats.get(letter.to);
  if (seat !== undefined) give(seat, { kind: "letter", letter });
  // Nobody is there any more: the sender is told, once.
  else if (!letter.returned) {
    deliver({ ...letter, to: letter.from, from: letter.to, returned: true });
  }
}

/** Hands a letter to its handler. */
export async function open(letter: Letter): Promise<void> {
  const handler = await import(letter.handler) as {
    receive(message: unknown, from: number, returned: boolean): void;
  };
  handler.receive(letter.message, letter.from, letter.returned === true);
}

/**
 * Refuses before a worker is made for a module that it may not read: in a worker, files need `--allow-read` even where the main
 * thread's static imports do not.
 *
 * @throws {Deno.errors.NotCapable} when permission is missing.
 */
export function mustRead(url: string, what: string): void {
  if (!url.startsWith("file:")) return;
  const { state } = Deno.permissions.querySync({ name: "read", path: new URL(url) });
  if (state === "granted") return;
  throw new Deno.errors.NotCapable(
    `Cannot ${what}: a thread imports ${url} itself, which needs read access; run with --allow-read, or --allow-read=<folder> for the folders of your modules and of this library`,
  );
}

/** The program's main module, where it may be known. */
export function mainModule(): string | undefined {
  if (!isMain()) return ourMainModule;
  try {
    return Deno.mainModule;
  } catch {
    return undefined;
  }
}

/** A worker's entry takes its place. */
export function takePlace(main: string | undefined, key: string): void {
  ourMainModule = main;
  ourKey = key;
}

/** A worker's way to the main thread begins, or ends, with a job. */
export function takePort(port: MessagePort | undefined): void {
  carryBy(carrier);
  toMain?.close();
  toMain = port;
}

/** What is to be done when this worker ends in the middle of a job. */
export const leaving = new Set<() => void>();

/** Calls `fn` if this worker ends in the middle of its job, by `Deno.exit` for instance; gives a function that takes this back. */
export function atLeave(fn: () => void): () => void {
  leaving.add(fn);
  return () => leaving.delete(fn);
}

function complain(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}
