/**
 * Runs a {@linkcode Scenario} through its schedules: all of them ({@linkcode explore}), seeded random ones ({@linkcode sample}), or
 * one that failed ({@linkcode replay}). In the spirit of loom and shuttle.
 *
 * *All* means: one schedule for each set of schedules that differ only in the order of moves that do not touch each other (sleep sets,
 * Godefroid 1996). Two moves touch each other when they are of one agent, or when one writes a word that the other reads or writes.
 * What plain code under a lot's lock reads is not recorded: whoever could change it would have to hold the same lock.
 *
 * What programs share has therefore to lie in the world's words. JavaScript variables may be written by one strand and read at the end.
 *
 * @module
 */
import { type Footprint, type Plant, type Quirks, World } from "./world.ts";

/** What the explorer needs of a world; {@linkcode World} is one. A move is `agent << 8 | what`. */
export interface Explorable {
  /** Whether everything has come to its end. */
  readonly over: boolean;
  /** The words that the last move touched. */
  readonly touched: Footprint;
  /** Makes moves without recording what they touch and without checks: they have been made before. */
  again: boolean;
  /** Lines of a trace, when one is wanted. */
  trace: string[] | undefined;
  /** The moves that can be made now. */
  moves(): number[];
  /** Makes a move. */
  make(move: number): void;
  /** Says who cannot go on, and why. */
  describeStuck(): string;
  /** Throws when something is left behind at the end. */
  checkClean(): void;
}

/** What is explored. `build` is called for each schedule; it returns what to check at the end. */
export interface Scenario<W extends Explorable = World> {
  readonly name: string;
  build(world: W): () => void;
  /** Makes the world, when it is not a {@linkcode World}. */
  readonly world?: () => W;
  /** Bugs, for the tests of the explorer itself. */
  readonly plant?: () => Plant;
  readonly quirks?: Quirks;
}

/** What was done. */
export interface Report {
  /** Schedules that were run to their end. */
  readonly schedules: number;
  /** Schedules that were left since their like had been run. */
  readonly pruned: number;
  /** Moves made in all. */
  readonly moves: number;
  /** Whether there are no others. */
  readonly complete: boolean;
}

/** How far to go. */
export interface Bounds {
  /** Stop after so many schedules. */
  readonly most?: number;
  /** Stop after so many moves. */
  readonly mostMoves?: number;
  /** Leave out schedules that take the turn from an agent that could go on more often than this. Turns the pruning off. */
  readonly preemptions?: number;
}

/** A schedule that failed, and how to see it again. */
export class ScheduleError extends Error {
  readonly schedule: string;

  constructor(
    scenario: { name: string },
    schedule: string,
    trace: readonly string[],
    cause: unknown,
  ) {
    const what = cause instanceof Error ? cause.message : String(cause);
    super(
      `${scenario.name}: ${what}\n  replay(scenario, "${schedule}") shows it again:\n    ${
        trace.join("\n    ")
      }`,
      { cause },
    );
    this.schedule = schedule;
  }
}

const MOST_MOVES = 5000;
const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";

interface Made {
  readonly move: number;
  readonly footprint: Footprint;
}

interface Node {
  readonly moves: readonly number[];
  /** Moves that need not be tried here: what follows them has been explored from an earlier node. */
  readonly asleep: readonly Made[];
  readonly tried: Made[];
  /** Index in `moves` of the one that is being tried. */
  at: number;
  footprint: Footprint | undefined;
}

function fresh<W extends Explorable = World>(
  scenario: Scenario<W>,
): { world: W; check: () => void } {
  const world = scenario.world?.() ??
    new World(scenario.plant?.(), scenario.quirks) as Explorable as W;
  return { world, check: scenario.build(world) };
}

function conclude(world: Explorable, check: () => void): void {
  if (!world.over) throw new Error(`Deadlock: ${world.describeStuck()}`);
  world.checkClean();
  check();
}

function disjoint(one: Footprint, other: Footprint): boolean {
  if (one.agent === other.agent) return false;
  for (const word of one.writes) {
    if (other.writes.includes(word) || other.reads.includes(word)) return false;
  }
  for (const word of other.writes) if (one.reads.includes(word)) return false;
  return true;
}

/** Runs every schedule, depth first. */
export function explore<W extends Explorable = World>(
  scenario: Scenario<W>,
  { most = Infinity, mostMoves = Infinity, preemptions }: Bounds = {},
): Report {
  const path: Node[] = [];
  let schedules = 0;
  let pruned = 0;
  let moves = 0;
  for (;;) {
    const { world, check } = fresh(scenario);
    let asleep: readonly Made[] = [];
    try {
      for (let depth = 0;; depth++) {
        if (depth === path.length) {
          if (world.over) {
            conclude(world, check);
            schedules++;
            break;
          }
          const enabled = within(world.moves(), path, preemptions);
          if (enabled.length === 0) conclude(world, check);
          const node: Node = { moves: enabled, asleep, tried: [], at: -1, footprint: undefined };
          path.push(node);
          if (!nextMove(node)) {
            pruned++;
            break;
          }
        }
        if (depth > MOST_MOVES) throw new Error("It does not come to an end");
        const node = path[depth];
        const move = node.moves[node.at];
        moves++;
        world.again = depth < path.length - 2;
        world.make(move);
        if (depth < path.length - 1) continue;
        node.footprint = world.touched;
        if (preemptions === undefined) {
          asleep = [...node.asleep, ...node.tried]
            .filter(({ footprint }) => disjoint(footprint, world.touched));
        }
      }
    } catch (cause) {
      throw failure(scenario, path.map(({ at }) => at), cause);
    }
    if (!backtrack(path)) return { schedules, pruned, moves, complete: true };
    if (schedules >= most || moves >= mostMoves) {
      return { schedules, pruned, moves, complete: false };
    }
  }
}

/** The moves that a bound on pre-emptions leaves. */
function within(moves: number[], path: readonly Node[], preemptions?: number): number[] {
  if (preemptions === undefined || path.length === 0) return moves;
  let left = preemptions;
  let last = -1;
  for (const node of path) {
    const agent = node.moves[node.at] >> 8;
    if (last !== -1 && agent !== last && node.moves.some((move) => move >> 8 === last)) left--;
    last = agent;
  }
  if (left > 0) return moves;
  const same = moves.filter((move) => move >> 8 === last);
  return same.length > 0 ? same : moves;
}

function nextMove(node: Node): boolean {
  while (++node.at < node.moves.length) {
    if (!node.asleep.some(({ move }) => move === node.moves[node.at])) return true;
  }
  return false;
}

function backtrack(path: Node[]): boolean {
  for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
    if (node.at < node.moves.length && node.footprint !== undefined) {
      node.tried.push({ move: node.moves[node.at], footprint: node.footprint });
      node.footprint = undefined;
      if (nextMove(node)) return true;
    }
    path.pop();
  }
  return false;
}

function failure<W extends Explorable = World>(
  scenario: Scenario<W>,
  picks: readonly number[],
  cause: unknown,
): ScheduleError {
  const schedule = picks.map((pick) => DIGITS[pick]).join("");
  const trace: string[] = [];
  try {
    follow(scenario, schedule, trace);
  } catch {
    // The very failure that is being reported.
  }
  return new ScheduleError(scenario, schedule, trace, cause);
}

/** Runs the schedule of a {@linkcode ScheduleError} again and fails as it did; gives the trace if it does not fail. */
export function replay<W extends Explorable = World>(
  scenario: Scenario<W>,
  schedule: string,
): string[] {
  const trace: string[] = [];
  try {
    follow(scenario, schedule, trace);
  } catch (cause) {
    throw new ScheduleError(scenario, schedule, trace, cause);
  }
  return trace;
}

function follow<W extends Explorable = World>(
  scenario: Scenario<W>,
  schedule: string,
  trace: string[],
): void {
  const { world, check } = fresh(scenario);
  world.trace = trace;
  for (const digit of schedule) {
    const moves = world.moves();
    const pick = DIGITS.indexOf(digit);
    if (pick >= moves.length) throw new RangeError("This schedule is not of this scenario");
    world.make(moves[pick]);
  }
  if (world.over || world.moves().length === 0) conclude(world, check);
}

/** A small generator of pseudo-random numbers below 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = state + 0x6d2b79f5 >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/**
 * Runs `count` random schedules. Half of them pick every move anew; the others let an agent go on for a while, as a real machine
 * does, since some bugs need one thread to sleep long.
 */
export function sample<W extends Explorable = World>(
  scenario: Scenario<W>,
  count: number,
  seed = 1,
): Report {
  const random = randomFrom(seed);
  let made = 0;
  for (let schedule = 0; schedule < count; schedule++) {
    const { world, check } = fresh(scenario);
    const picks: number[] = [];
    const stay = schedule % 2 === 0 ? 0 : 0.9;
    let last = -1;
    try {
      while (!world.over) {
        const moves = world.moves();
        if (moves.length === 0 || picks.length > MOST_MOVES) break;
        const same = moves.filter((move) => move >> 8 === last);
        const among = same.length > 0 && random() < stay ? same : moves;
        const move = among[Math.floor(random() * among.length)];
        last = move >> 8;
        picks.push(moves.indexOf(move));
        made++;
        world.make(move);
      }
      conclude(world, check);
    } catch (cause) {
      throw failure(scenario, picks, cause);
    }
  }
  return { schedules: count, pruned: 0, moves: made, complete: false };
}
