/** What the benchmark of pools runs in processes: in a module of its own, which is all that they load. */

/** The task. */
export function successor(n: number): number {
  return n + 1;
}
