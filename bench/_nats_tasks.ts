/** What a worker of a cluster runs in `nats_bench.ts`. */

/** The task. */
export function successor(n: number): number {
  return n + 1;
}
