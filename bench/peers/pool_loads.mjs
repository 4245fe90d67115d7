// What thread pools are measured with, in Deno and in Node: ours and those of npm.

const MIB = 2 ** 20;

/** About 1 kB. */
const object = {
  id: 12345,
  name: "a customer",
  active: true,
  tags: ["one", "two", "three"],
  address: { street: "Long street 1", city: "Town", zip: 12345 },
  orders: Array.from({ length: 8 }, (_, id) => ({ id, price: id * 1.5, text: "x".repeat(60) })),
};
export const bytes = new Uint8Array(MIB);

/**
 * The groups: how many tasks are in flight, how many a round has, what they are given, and whether that is moved. `inDeno` and `inNode`:
 * how many times as fast as the best of the others we want to be there.
 */
export const LOADS = {
  "1": {
    title: "a tiny task, 1 in flight",
    inFlight: 1,
    tasks: 2000,
    give: (i) => i,
    moves: false,
    inDeno: 2,
    inNode: 1,
  },
  "64": {
    title: "a tiny task, 64 in flight",
    inFlight: 64,
    tasks: 12_800,
    give: (i) => i,
    moves: false,
    inDeno: 8,
    inNode: 4,
  },
  "20000": {
    title: "a tiny task, 20,000 in flight",
    inFlight: 20_000,
    tasks: 20_000,
    give: (i) => i,
    moves: false,
    inDeno: 8,
    inNode: 4,
  },
  "object": {
    title: "an object of 1 kB there and back, 64 in flight",
    inFlight: 64,
    tasks: 3200,
    give: () => object,
    moves: false,
    inDeno: 1,
  },
  "copied": {
    title: "1 MiB copied, 8 in flight",
    inFlight: 8,
    tasks: 80,
    give: () => bytes,
    moves: false,
    inDeno: 1,
  },
  "moved": {
    title: "1 MiB transferred, 4 in flight",
    inFlight: 4,
    tasks: 8,
    give: () => new Uint8Array(MIB),
    moves: true,
    inDeno: 1,
  },
};

/** What every pool does with what it is given. */
export function answer(given) {
  return typeof given === "number"
    ? given * given
    : given instanceof Uint8Array
    ? given.length
    : given;
}

/** Microseconds for each task of a group, one figure for each of seven rounds, after one that does not count. */
export async function measure(submit, { inFlight, tasks, give, moves }) {
  const rounds = [];
  for (let round = -1; round < 7; round++) {
    const start = performance.now();
    for (let sent = 0; sent < tasks; sent += inFlight) {
      await Promise.all(Array.from({ length: inFlight }, (_, i) => {
        const given = give(i);
        return submit(given, moves ? [given.buffer] : undefined);
      }));
    }
    if (round >= 0) rounds.push((performance.now() - start) * 1000 / tasks);
  }
  return rounds;
}
