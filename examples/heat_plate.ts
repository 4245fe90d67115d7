/**
 * Heat spreads over a plate until next to nothing changes any more: threads that work in step on one array, and the main thread, which
 * follows them without being blocked.
 *
 * The chapter's `threading`: a Barrier between the steps, a Lock around what all threads add to, a Condition to wait for news.
 *
 *     deno run --allow-read examples/heat_plate.ts
 *
 * @module
 */
import { Barrier, Condition, Lock, Thread } from "@batteries/concurrent/threading";

export const WIDTH = 60;
export const HEIGHT = 18;
/** The plate has its heat when no cell changes by more than this in a step, in degrees. */
const ENOUGH = 0.002;
/** The main thread wants to hear of every so many steps. */
const NEWS = 500;

type Cells = Float64Array<SharedArrayBuffer>;

/** What all threads share. */
interface Plate {
  /** The cells of this step and of the next, which change places. */
  readonly cells: readonly [Cells, Cells];
  /** See the names below. */
  readonly state: Float64Array<SharedArrayBuffer>;
  readonly adding: Lock;
  readonly step: Barrier;
  readonly news: Condition;
}

const STEPS = 0;
/** The largest change of the step so far. */
const CHANGE = 1;
const DONE = 2;

/** A plate that is hot on the left, and cold on the other sides. */
function newCells(): Cells {
  const cells = new Float64Array(new SharedArrayBuffer(8 * WIDTH * HEIGHT));
  for (let y = 0; y < HEIGHT; y++) cells[y * WIDTH] = 100;
  return cells;
}

/** One step of some rows: each inner cell becomes the mean of its neighbours. Returns the largest change. */
function relax(now: Float64Array, next: Float64Array, from: number, to: number): number {
  let change = 0;
  for (let y = Math.max(from, 1); y < Math.min(to, HEIGHT - 1); y++) {
    for (let i = y * WIDTH + 1; i < (y + 1) * WIDTH - 1; i++) {
      next[i] = (now[i - 1] + now[i + 1] + now[i - WIDTH] + now[i + WIDTH]) / 4;
      change = Math.max(change, Math.abs(next[i] - now[i]));
    }
  }
  return change;
}

/** What each thread does, with its own rows. */
export function heat(plate: Plate, from: number, to: number): void {
  const { cells, state, adding, step, news } = plate;
  for (let turn = 0; state[DONE] === 0; turn++) {
    const change = relax(cells[turn % 2], cells[1 - turn % 2], from, to);
    {
      using _held = adding.holdSync();
      state[CHANGE] = Math.max(state[CHANGE], change);
    }
    // All have added. One of them, whoever gets number 0, says how it went, while the others wait for the next step.
    if (step.waitSync() === 0) {
      using _held = news.holdSync();
      state[STEPS] = turn + 1;
      state[DONE] = Number(state[CHANGE] <= ENOUGH);
      state[CHANGE] = 0;
      news.notifyAll();
    }
    step.waitSync();
  }
}

/** Heats a plate with some threads. */
export async function heatPlate(
  threads: number,
  onNews: (steps: number) => void = () => {},
): Promise<{ steps: number; cells: Float64Array }> {
  const plate: Plate = {
    cells: [newCells(), newCells()],
    state: new Float64Array(new SharedArrayBuffer(24)),
    adding: new Lock(),
    step: new Barrier(threads),
    news: new Condition(),
  };
  const row = (i: number) => Math.round(i * HEIGHT / threads);
  const all = Array.from(
    { length: threads },
    (_, i) => new Thread({ target: heat, args: [plate, row(i), row(i + 1)] }),
  );
  for (const thread of all) thread.start();

  const { state, news } = plate;
  for (let next = NEWS; state[DONE] === 0; next += NEWS) {
    using _held = await news.hold();
    await news.waitFor(() => state[STEPS] >= next || state[DONE] === 1);
    onNews(state[STEPS]);
  }
  for (const thread of all) await thread.join();
  return { steps: state[STEPS], cells: plate.cells[state[STEPS] % 2] };
}

function draw(cells: Float64Array): string {
  const shades = " .:-=+*#%@";
  const rows = Array.from({ length: HEIGHT }, (_, y) => cells.subarray(y * WIDTH, (y + 1) * WIDTH));
  return rows.map((row) =>
    Array.from(row, (t) => shades[Math.min(9, Math.floor(t / 10))]).join("").trimEnd()
  ).join("\n");
}

if (import.meta.main) {
  const { steps, cells } = await heatPlate(
    4,
    (steps) => console.error(`${steps} steps`),
  );
  console.log(
    `${draw(cells)}\nnothing changes by more than ${ENOUGH} degrees after ${steps} steps`,
  );
}
