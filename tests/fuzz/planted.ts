/**
 * Decoders with faults that were put there, so that it is known that fuzzing finds such.
 *
 * @module
 */
import type { Target } from "./targets.ts";

const hoard: Uint8Array[] = [];

/** One of each kind, at every few hundredth input. */
export const planted: readonly Target[] = [
  {
    name: "planted crash",
    feed(dice) {
      if (dice.once(300)) Deno.kill(Deno.pid, "SIGSEGV");
    },
  },
  {
    name: "planted exit",
    feed(dice) {
      if (dice.once(300)) Deno.exit(3);
    },
  },
  {
    name: "planted hang",
    feed(dice) {
      while (dice.once(300)) dice = { once: () => true } as unknown as typeof dice;
    },
  },
  {
    name: "planted wait",
    async feed(dice) {
      if (dice.once(300)) await new Promise((resolve) => setTimeout(resolve, 2 ** 30));
    },
  },
  {
    name: "planted memory",
    feed() {
      hoard.push(new Uint8Array(600_000).fill(1));
    },
  },
  {
    name: "planted code",
    async feed(dice) {
      if (dice.once(300)) await import("../fixtures/fuzz/tripwire.ts");
    },
  },
];
