/**
 * This agent's place on the process's ground: laid by the main thread at first use, handed to each worker when it is made.
 *
 * @module
 */
import { makeAgent } from "./heap.ts";
import { type Cell, OWN } from "./lot.ts";
import { Site } from "./park.ts";
import { setGround } from "./section.ts";
import { layGround, MAIN_AGENT, standOn } from "./words.ts";

let current: Site | undefined;

/** This agent's site. Makes the ground if there is none yet: the caller is then the main thread. */
export function here(): Site {
  return current ??= lay();
}

function lay(): Site {
  const ground = layGround();
  const agent = makeAgent(ground, 0);
  ground.words[MAIN_AGENT] = agent;
  setGround(ground.words);
  return new Site(ground, agent);
}

/** Takes the place that the main thread has prepared for this worker. */
export function settleHere(buffer: SharedArrayBuffer, agent: number): Site {
  current = new Site(standOn(buffer), agent);
  setGround(current.ground.words);
  return current;
}

/** Whether this agent is the main thread, or a worker that this library did not make. */
export function isMain(): boolean {
  const site = here();
  return site.ground.words[MAIN_AGENT] === site.agent;
}

let adopted: SharedArrayBuffer | undefined;

/**
 * Memory for a primitive with `own` words behind its lot: new, or the memory that {@linkcode adopt} is reviving.
 */
export function cell(own: number): Cell {
  const buffer = adopted ?? new SharedArrayBuffer((OWN + own) * 4);
  adopted = undefined;
  return { site: here(), words: new Int32Array(buffer), at: 0 };
}

/** A cell in the ground itself, for records that other records point to. */
export function cellAt(at: number): Cell {
  const site = here();
  return { site, words: site.ground.words, at };
}

/** Runs a constructor so that its first {@linkcode cell} is the memory of a primitive that came from another agent. */
export function adopt<T>(buffer: SharedArrayBuffer, make: () => T): T {
  adopted = buffer;
  try {
    return make();
  } finally {
    adopted = undefined;
  }
}
