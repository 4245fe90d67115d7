/**
 * Running a child while this thread is blocked.
 *
 * `Deno.Command.outputSync` does it alone where there is neither input nor a time-out: it can be given neither. Otherwise a helper
 * thread runs the child on its own event loop while this one sleeps on a word of shared memory: 7-20 ms more on the main thread,
 * up to a second in a worker, where Deno starts threads slowly.
 *
 * Guarantees: the thread is gone when the call returns; the child's pipes are pipes and its descriptors are this process's own.
 *
 * @module
 */

import { TIMEOUT_MAX } from "../threading/_core/clock.ts";
import { explain } from "./_explain.ts";
import { inheriting } from "./_inherit.ts";
import type { CommandOptions, Launch } from "./_launch.ts";
import { returncodeOf, returncodeOfError } from "./_signals.ts";
import { type Answer, type Job, serve } from "./_sync_worker.ts";
import { familyArguments } from "./_terminate.ts";
import { SHELL } from "./_wrapper.ts";

/** How a child ended. */
export interface Ended {
  readonly returncode: number;
  readonly expired: boolean;
  readonly stdout: Uint8Array<ArrayBuffer> | null;
  readonly stderr: Uint8Array<ArrayBuffer> | null;
}

/** As much as an answer may be. Only reserved, not used. */
const MOST = 4 * 2 ** 30;

/** Runs a prepared child to its end. `timeout` in milliseconds. */
export function runBlocking(
  launch: Launch,
  input: Uint8Array | undefined,
  timeout: number | undefined,
  killDescendants: boolean,
  what: string,
): Ended {
  return inheriting(launch.passFds, what, () => {
    // outputSync knows neither input nor detached.
    if (input === undefined && timeout === undefined && !launch.options.detached) {
      return outputSync(launch);
    }
    return runInWorker(launch, input, timeout, killDescendants);
  });
}

function outputSync(launch: Launch): Ended {
  const options = launch.options;
  try {
    const output = new Deno.Command(launch.command, asDenos(options)).outputSync();
    return {
      returncode: returncodeOf(output),
      expired: false,
      stdout: options.stdout === "piped" ? output.stdout : null,
      stderr: options.stderr === "piped" ? output.stderr : null,
    };
  } catch (error) {
    if (!/^Invalid signal: \d+$/.test((error as Error).message)) {
      throw explain(error, launch.attempt);
    }
    // A real-time signal ended the child; Deno keeps what it had written to itself.
    const none = (slot: unknown) => slot === "piped" ? new Uint8Array() : null;
    return {
      returncode: returncodeOfError(error),
      expired: false,
      stdout: none(options.stdout),
      stderr: none(options.stderr),
    };
  }
}

function runInWorker(
  launch: Launch,
  input: Uint8Array | undefined,
  timeout: number | undefined,
  killDescendants: boolean,
): Ended {
  const control = new SharedArrayBuffer(8);
  const answer = new SharedArrayBuffer(0, { maxByteLength: MOST });
  const job: Job = {
    command: launch.command,
    options: asDenos(launch.options),
    input,
    timeout: timeout === undefined ? null : Math.min(timeout, TIMEOUT_MAX),
    family: killDescendants ? family() : undefined,
    control,
    answer,
  };
  const source = `self.onmessage = (event) => (${serve})(event.data);`;
  const url = `data:application/javascript,${encodeURIComponent(source)}`;
  const worker = new Worker(url, { type: "module", name: "subprocess" });
  try {
    worker.postMessage(job);
    Atomics.wait(new Int32Array(control), 0, 0);
  } finally {
    worker.terminate();
  }
  return read(new Uint8Array(answer), new Int32Array(control)[1], launch);
}

function read(bytes: Uint8Array, headLength: number, launch: Launch): Ended {
  const head: Answer = JSON.parse(new TextDecoder().decode(bytes.slice(0, headLength)));
  if (head.failure !== undefined) {
    const { message, name, code } = head.failure;
    const error = Object.defineProperty(new Error(message), "name", { value: name });
    throw explain(code === undefined ? error : Object.assign(error, { code }), launch.attempt);
  }
  const part = (slot: unknown, from: number, length: number) =>
    slot === "piped" ? new Uint8Array(bytes.subarray(from, from + length)) : null;
  return {
    returncode: head.status ? returncodeOf(head.status) : returncodeOfError(head.odd),
    expired: head.expired,
    stdout: part(launch.options.stdout, headLength, head.out),
    stderr: part(launch.options.stderr, headLength + head.out, head.err),
  };
}

function family(): Job["family"] {
  if (Deno.build.os === "windows") {
    const args = ["/T", "/F", "/PID", "PID"];
    return { command: "taskkill", expired: args, ended: args };
  }
  const meant = (alive: boolean) =>
    familyArguments(9, { pid: 0, alive, session: true }).map((arg, i) => i === 4 ? "PID" : arg);
  return { command: SHELL, expired: meant(true), ended: meant(false) };
}

/** Descriptors are numbers, which the types of Deno.Command do not tell. */
function asDenos(options: CommandOptions): Deno.CommandOptions {
  return options as unknown as Deno.CommandOptions;
}
