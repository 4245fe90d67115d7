/**
 * Calls that run on a cluster: an {@linkcode Executor} whose workers are on any machines, by way of a NATS server with JetStream.
 *
 * | | |
 * | --- | --- |
 * | {@linkcode NatsExecutor} | submits calls |
 * | {@linkcode natsWorker} | runs them |
 *
 * Run as a program, this module is a worker:
 *
 * ```sh
 * nats-server -js -a 127.0.0.1 &
 * deno run -A jsr:@batteries/concurrent/nats worker --tasks tasks=./tasks.ts
 * ```
 *
 * It is an entry point of its own, so that nobody else loads the client for NATS: `npm:@nats-io/transport-node` and its kin.
 *
 * @example
 * ```ts no-eval
 * import { NatsExecutor } from "@batteries/concurrent/nats";
 *
 * export function square(n: number): number {
 *   return n * n;
 * }
 *
 * // Needs a server, and a worker that was started with --tasks main=FILE, this file.
 * export async function program(): Promise<void> {
 *   await using executor = new NatsExecutor({ tasks: { main: import.meta.url } });
 *   console.log(await executor.submit(square, 4)); // 16
 *   console.log(await Array.fromAsync(executor.map(square, [1, 2, 3], { chunksize: 100 })));
 * }
 * ```
 *
 * @module
 */
export {
  PoisonTaskError,
  QueueFullError,
  TaskLostError,
  UnknownTaskError,
} from "./_nats_errors.ts";
export { NatsExecutor, type NatsExecutorOptions } from "./_nats_executor.ts";
export type { NatsAuth, NatsOptions, NatsTls } from "./_nats_link.ts";
export {
  type NatsWorker,
  natsWorker,
  type NatsWorkerOptions,
  type NatsWorkerStopOptions,
} from "./_nats_worker.ts";
if (import.meta.main) {
  const { command } = await import("./_nats_cli.ts");
  Deno.exitCode = await command(Deno.args);
}
