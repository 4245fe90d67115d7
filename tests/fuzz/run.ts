/**
 * Feeds a target and looks after what it must not do: fail, take long, keep memory, run code.
 *
 * Input `n` of a target depends on the seed, the target and `n` alone, so each can be fed again by itself.
 *
 * @module
 */
import { Dice } from "./bytes.ts";
import { Broken, mustNotHaveTripped, type Target } from "./targets.ts";

/** What is fed. */
export interface Plan {
  readonly seed: number;
  /** The first input, and how many. */
  readonly from: number;
  readonly inputs: number;
  /** Nothing else runs in this process: what it keeps of memory, the target keeps. */
  readonly alone?: boolean;
  /** Called now and then with the number of the next input. */
  readonly progress?: (next: number) => void;
}

/** An input that takes longer than this, in milliseconds, is a failure; far more than any takes on a busy machine. */
const LONG = 30_000;
/**
 * Bytes of real memory that may be in use at the end and were not at the beginning. What is only reserved, for a frame that was announced
 * and never came, costs none.
 */
const KEPT = 512 * 1024 * 1024;
/** Inputs between two reports. */
const STRIDE = 500;

/** Feeds the inputs of a plan to a target. Throws {@linkcode Broken}, saying which input it was. */
export async function feed(target: Target, plan: Plan): Promise<void> {
  const before = Deno.memoryUsage().rss;
  const end = plan.from + plan.inputs;
  for (let n = plan.from; n < end; n++) {
    if (n % STRIDE === 0) {
      plan.progress?.(n);
      // What the targets resolve at once would never let anything else run.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const start = performance.now();
    try {
      await target.feed(new Dice(seedOf(plan.seed, target.name, n)));
      mustNotHaveTripped();
    } catch (error) {
      const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new Broken(`${target.name}, seed ${plan.seed}, input ${n}: ${why}`, { cause: error });
    }
    const took = performance.now() - start;
    if (took > LONG) {
      throw new Broken(
        `${target.name}, seed ${plan.seed}, input ${n}: took ${Math.round(took)} ms`,
      );
    }
  }
  const kept = Deno.memoryUsage().rss - before;
  if (plan.alone && kept > KEPT) {
    throw new Broken(`${target.name}, seed ${plan.seed}: ${kept} bytes are kept`);
  }
}

/** FNV-1a. */
function seedOf(seed: number, name: string, n: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const character of `${name} ${n}`) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  }
  return hash >>> 0;
}
