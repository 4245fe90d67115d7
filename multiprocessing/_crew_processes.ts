/**
 * Workers of a crew that are processes, as the crew sees them. What they run is `_crew_child.ts`.
 *
 * Letters are collected and go in one message; those that are written before the worker has come wait for it. A worker is gone when its
 * process has ended and everything that it had said was heard.
 *
 * @module
 */
import { type EncodedError, importInProgress, type Reference } from "../threading/_core/mod.ts";
import {
  BEGIN,
  type Boss,
  type Codec,
  FINISH,
  type Hand,
  type Letter,
  type Trade,
} from "./_crew_protocol.ts";
import { type Bytes, codec, LetterWriter, readAnswers } from "./_crew_wire.ts";
import { launchChild } from "./_launch.ts";
import { checkPermissions, type Permissions } from "./_permissions.ts";
import { moduleInImport, whoAmI } from "./_self.ts";
import { currentMethod, type StartMethod } from "./_settings.ts";
import type { Child } from "./_spawn.ts";
import { type Handle, offer, redeem, type Remote, type Service } from "./_tree.ts";
import { ProcessError } from "./errors.ts";
import { currentProcess } from "./process.ts";

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
export class ProcessTrade implements Trade<Bytes> {
  readonly codec: Codec<Bytes> = codec;
  readonly #options: ProcessTradeOptions;

  /** @throws {TypeError} when the permissions have the wrong shape. */
  constructor(options: ProcessTradeOptions) {
    if (options.permissions !== undefined) checkPermissions(options.permissions);
    this.#options = options;
  }

  hire(boss: Boss<Bytes>, references: readonly Reference[]): Hand<Bytes> {
    const number = ++hired;
    const name = `${this.#options.name}-${number}`;
    mustBeAllowed(name);
    return new ProcessHand(name, number, boss, this.#options, references);
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

class ProcessHand implements Hand<Bytes>, Service {
  readonly name: string;
  readonly isStuck = false;
  readonly #boss: Boss<Bytes>;
  readonly #child: Child;
  readonly #letters = new LetterWriter();
  #remote: Remote | undefined;
  #begins = false;
  /** Ends the worker's call of `work`. */
  readonly #finish = Promise.withResolvers<void>();
  /** Whether it has a handle on us. */
  #here = false;
  readonly #left = Promise.withResolvers<void>();
  readonly #ended: Promise<void>;

  constructor(
    name: string,
    number: number,
    boss: Boss<Bytes>,
    { method, daemon, permissions, flags }: ProcessTradeOptions,
    references: readonly Reference[],
  ) {
    this.name = name;
    this.#boss = boss;
    const self = currentProcess();
    const module = new URL("./_crew_child.ts", import.meta.url).href;
    const target: Reference = { how: "export", module, path: ["workInProcess"] };
    this.#child = launchChild({
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
        path: ["workInProcess"],
        source: undefined,
        args: [JSON.stringify(offer(this).handle())],
      },
      start: undefined,
    });
    this.#ended = this.#watch();
  }

  get pid(): number {
    return this.#child.pid;
  }

  async #watch(): Promise<void> {
    await this.#child.ended;
    if (this.#here) await this.#left.promise;
    this.#boss.ended({ pid: this.#child.pid, exitcode: this.#child.code });
  }

  arrived(): void {
    this.#here = true;
  }

  gone(): void {
    this.#left.resolve();
  }

  call(method: string, args: unknown[]): unknown {
    switch (method) {
      case "work":
        this.#remote = redeem(args[0] as Handle);
        this.push();
        if (!this.#begins) this.#boss.ready();
        return this.#finish.promise;
      case "ready":
        return this.#boss.ready();
      case "failed":
        return this.#boss.failed(args[0] as EncodedError);
      case "began":
        return this.#boss.began(args[0] as number);
      case "answers":
        return this.hear(method, args[0] as Bytes);
      case "returned":
        return this.#boss.returned(args[0] as number[]);
    }
  }

  /** Answers. */
  hear(_: string, bytes: Bytes): void {
    for (const answer of readAnswers(bytes)) this.#boss.answered(answer);
  }

  send(letter: Letter<Bytes>): void {
    if (letter[0] === FINISH) return this.#finish.resolve();
    if (letter[0] === BEGIN && letter[1] !== 0) this.#begins = true;
    this.#letters.add(letter);
  }

  push(): void {
    if (this.#remote === undefined || this.#letters.isEmpty) return;
    this.#remote.tell("letters", [this.#letters.take()]);
  }

  rest(): void {
    this.#child.link?.rest?.(1);
  }

  recall(): void {
    this.#remote?.tell("recall", []);
  }

  stop(how: "terminate" | "kill"): void {
    this.#child.kill(how === "kill" ? "SIGKILL" : "SIGTERM");
  }

  async join(): Promise<void> {
    this.#child.hold();
    try {
      await this.#ended;
    } finally {
      this.#child.unhold();
    }
  }
}
