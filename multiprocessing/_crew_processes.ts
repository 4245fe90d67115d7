/**
 * Workers of a crew that are processes, as the crew sees them. What they run is `_crew_child.ts`.
 *
 * Letters are collected. They go through a lane (`_crew_lane.ts`) where both sides can map memory, at once, even before the worker has
 * come; else over the tree, where those that are written before the worker has come wait for it. A worker is gone when its process has
 * ended and everything that it had said was heard.
 *
 * @module
 */
import { importInProgress, type Limit, type Reference } from "../threading/_core/mod.ts";
import { isAllGranted } from "../threading/_core/granted.ts";
import { platform } from "../threading/_core/platform/mod.ts";
import { hasLanes, makeLane } from "./_crew_lane.ts";
import * as post from "./_crew_post.ts";
import {
  type Boss,
  type Codec,
  type Ending,
  FINISH,
  type Hand,
  type Letter,
  RECALL,
  type Trade,
} from "./_crew_protocol.ts";
import { type Body, type Bytes, codec, LetterWriter, ReportReader } from "./_crew_wire.ts";
import { launchChild } from "./_launch.ts";
import { checkPermissions, type Permissions } from "./_permissions.ts";
import { moduleInImport, whoAmI } from "./_self.ts";
import { currentMethod, type StartMethod } from "./_settings.ts";
import type { Child } from "./_spawn.ts";
import { type Handle, offer, redeem, type Remote, type Service } from "./_tree.ts";
import { ProcessError } from "./errors.ts";
import { currentProcess, showChild } from "./process.ts";

/** What the processes of a crew are like. */
export interface ProcessTradeOptions {
  /** What their names begin with. */
  readonly name: string;
  readonly method?: StartMethod;
  /** Daemons may not start processes themselves. */
  readonly daemon: boolean;
  readonly permissions?: Permissions;
  /** More flags for `deno run`. */
  readonly flags?: readonly string[];
}

let hired = 0;

/** Makes processes for one crew. */
export class ProcessTrade implements Trade<Body> {
  readonly codec: Codec<Body> = codec;
  readonly #options: ProcessTradeOptions;
  readonly #lanes: boolean;

  /** @throws {TypeError} when the permissions have the wrong shape. */
  constructor(options: ProcessTradeOptions) {
    if (options.permissions !== undefined) checkPermissions(options.permissions);
    this.#options = options;
    this.#lanes = hasLanes() && (options.permissions ?? "inherit") === "inherit";
  }

  hire(boss: Boss<Body>, references: readonly Reference[]): Hand<Body> {
    const number = ++hired;
    const name = `${this.#options.name}-${number}`;
    mustBeAllowed(name);
    const Kind = this.#lanes ? LaneHand : TreeHand;
    return new Kind(boss, (reach) => launch(name, number, reach, this.#options, references), name);
  }

  expect(some: boolean): void {
    if (this.#lanes) post.expect(this, some);
  }

  async quiet(): Promise<void> {
    if (this.#lanes) await post.quiet();
  }

  pump(limit: Limit): void {
    if (this.#lanes) return post.pump(limit);
    platform("wait for the result of a process by blocking");
    throw new Deno.errors.NotSupported(
      "Cannot wait for the result of a process by blocking: processes with fewer permissions answer through the event loop; await it",
    );
  }
}

/** @throws {ProcessError} in a daemon, and while this process imports a module to do its work. */
function mustBeAllowed(name: string): void {
  const url = moduleInImport() ?? importInProgress();
  if (url !== undefined) {
    throw new ProcessError(
      `Cannot start ${name} while a process imports ${url}: workers import the modules of their tasks, so what a script does has to be guarded: if (import.meta.main) { … }`,
    );
  }
  if (whoAmI().job?.daemon) {
    throw new ProcessError(
      `Cannot start ${name}: this process is a daemon, and daemons may not start processes; the workers of a Pool are daemons, those of a ProcessPoolExecutor are not`,
    );
  }
}

function launch(
  name: string,
  number: number,
  { file, run, handle }: Reach,
  { method, daemon, permissions, flags }: ProcessTradeOptions,
  references: readonly Reference[],
): Child {
  const self = currentProcess();
  const module = new URL(file, import.meta.url).href;
  const target: Reference = { how: "export", module, path: [run] };
  const child = launchChild({
    name,
    identity: `${whoAmI().job?.identity ?? ""}w${number}`,
    daemon,
    authkey: self.authkey.toHex(),
    permissions: permissions ?? "inherit",
    flags,
    parentName: self.name,
    method: method ?? currentMethod(),
    references: permissions === undefined || permissions === "inherit"
      ? [target]
      : [target, ...references],
    parcel: undefined,
    simple: {
      module,
      path: [run],
      source: undefined,
      args: [JSON.stringify(handle)],
    },
    start: undefined,
  });
  showChild(child, name, daemon);
  return child;
}

/** How a worker reaches its crew: what it runs, with which handle. */
interface Reach {
  readonly file: string;
  readonly run: string;
  readonly handle: unknown;
}

type Launch = (reach: Reach) => Child;

/** What both kinds of worker have in common. */
abstract class ProcessHand implements Hand<Body> {
  readonly name: string;
  readonly isStuck = false;
  protected readonly boss: Boss<Body>;
  protected readonly letters = new LetterWriter();
  protected readonly reports = new ReportReader();
  protected abstract readonly child: Child;
  readonly #gone = Promise.withResolvers<void>();

  constructor(boss: Boss<Body>, name: string) {
    this.boss = boss;
    this.name = name;
  }

  get pid(): number {
    return this.child.pid;
  }

  /** It has ended, and was heard to the end. */
  protected end(ending: Ending): void {
    this.#gone.resolve();
    this.boss.ended(ending);
  }

  send(letter: Letter<Body>): void {
    this.letters.add(letter);
  }

  abstract push(): void;
  abstract rest(): void;

  recall(): void {
    this.send([RECALL]);
    this.push();
  }

  stop(how: "terminate" | "kill"): void {
    this.child.kill(how === "kill" ? "SIGKILL" : "SIGTERM");
  }

  async join(): Promise<void> {
    this.child.hold();
    try {
      await this.#gone.promise;
      await this.child.ended;
    } finally {
      this.child.unhold();
    }
  }
}

/** One that is reached by a lane. */
class LaneHand extends ProcessHand implements post.Party {
  protected readonly child: Child;
  readonly #lane = makeLane();
  /** When its process began, as the system tells; `undefined` until it was asked for. */
  #start: number | undefined;
  #isOver = false;

  constructor(boss: Boss<Body>, launch: Launch, name: string) {
    super(boss, name);
    this.child = launch({
      file: "./_crew_child_lane.ts",
      run: "workInLane",
      handle: this.#lane.handle,
    });
    post.join(this);
    void this.child.ended.then(() => this.#over(this.child.code));
  }

  get hasNews(): boolean {
    const { in: back, out } = this.#lane;
    return !back.isEmpty || this.reports.hasMore || out.isFull && out.hasRoom;
  }

  hear(): void {
    if (this.#isOver) return;
    this.#lane.out.push();
    this.reports.read(this.#lane.in.take(), this.boss);
  }

  look(): void {
    const system = platform("look after a worker");
    this.#start ??= system.startOf(this.pid) ?? -1;
    if (this.#start !== -1 && !system.hasEnded(this.pid, this.#start)) return;
    this.#over(exitCodeOf(this.pid));
  }

  #over(exitcode: number | undefined): void {
    if (this.#isOver) return;
    while (!this.#lane.in.isEmpty) this.hear();
    this.#isOver = true;
    post.leave(this);
    this.#lane.giveBack();
    this.end({ pid: this.pid, exitcode });
  }

  push(): void {
    if (!this.letters.isEmpty && !this.#isOver) this.#lane.out.write(this.letters.take());
  }

  rest(): void {
    post.rest();
  }
}

/** Minus the number of a signal, or the exit code, of a child that nobody has asked after yet; `undefined` where that cannot be had. */
function exitCodeOf(pid: number): number | undefined {
  if (!isAllGranted()) return undefined;
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const status = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[EXIT_STATUS]);
    if (Number.isNaN(status)) return undefined;
    return (status & 0x7f) === 0 ? status >> 8 : -(status & 0x7f);
  } catch {
    return undefined;
  }
}

/** The place of the exit status in what `/proc` tells of a process, from its state on. */
const EXIT_STATUS = 49;

/** One that is reached over the tree. */
class TreeHand extends ProcessHand implements Service {
  protected readonly child: Child;
  #remote: Remote | undefined;
  /** Ends the worker's call of `work`. */
  readonly #finish = Promise.withResolvers<void>();
  /** Whether it has a handle on us. */
  #here = false;
  readonly #left = Promise.withResolvers<void>();

  constructor(boss: Boss<Body>, launch: Launch, name: string) {
    super(boss, name);
    this.child = launch({
      file: "./_crew_child_tree.ts",
      run: "workOverTree",
      handle: offer(this).handle(),
    });
    void this.#watch();
  }

  async #watch(): Promise<void> {
    await this.child.ended;
    if (this.#here) await this.#left.promise;
    this.end({ pid: this.pid, exitcode: this.child.code });
  }

  arrived(): void {
    this.#here = true;
  }

  gone(): void {
    this.#left.resolve();
  }

  call(method: string, args: unknown[]): unknown {
    if (method !== "work") return this.hear(method, args[0] as Bytes);
    this.#remote = redeem(args[0] as Handle);
    this.push();
    return this.#finish.promise;
  }

  /** Reports. */
  hear(_: string, bytes: Bytes): void {
    this.reports.read(bytes, this.boss);
  }

  override send(letter: Letter<Body>): void {
    super.send(letter);
    if (letter[0] === FINISH) this.#finish.resolve();
  }

  push(): void {
    if (this.#remote === undefined || this.letters.isEmpty) return;
    this.#remote.tell("letters", [this.letters.take()]);
  }

  rest(): void {
    this.child.link?.rest?.(1);
  }
}
