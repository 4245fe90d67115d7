/** The real `parkAsync` and `callAsync`, where the world of this folder only plays them: races forced by a `serve` that grants. */

import { assertEquals } from "@std/assert";
import { callAsync } from "../../threading/_core/call.ts";
import { FOREVER } from "../../threading/_core/clock.ts";
import { runSync } from "../../threading/_core/drive.ts";
import { makeAgent } from "../../threading/_core/heap.ts";
import { HEAD } from "../../threading/_core/lot.ts";
import { Site } from "../../threading/_core/park.ts";
import { MUTEX } from "../../threading/_core/primitives/mutex.ts";
import { acquire, release, revocable, STATE } from "../../threading/_core/primitives/permits.ts";
import {
  A_SPARE,
  A_STACK,
  A_UNCLAIMED,
  GRANTED,
  Ground,
  HEAP_TOP,
} from "../../threading/_core/words.ts";

function twoSites(): { site: Site; other: Site; at: number } {
  const ground = new Ground(new SharedArrayBuffer(4096));
  ground.words[HEAP_TOP] = 128;
  const at = 64;
  return {
    site: new Site(ground, makeAgent(ground, 0)),
    other: new Site(ground, makeAgent(ground, 0)),
    at,
  };
}

Deno.test("parkAsync: a grant between its look at the waiter and its first look at the bell, wakes the waiter", async () => {
  const { site, other, at } = twoSites();
  const { words } = site.ground;
  const theirs = { site: other, words, at };
  words[at + STATE] = other.agent << 1;
  // Called between the two looks: stands for a thread that releases just then.
  site.serve = () => {
    if (words[at + HEAD] !== 0) runSync(other, release(theirs, MUTEX, 1));
  };
  const mine = { site, words, at };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const settled = await Promise.race([
    callAsync(site, FOREVER, (waiter) => acquire(mine, MUTEX, waiter, FOREVER)),
    new Promise<string>((resolve) => timer = setTimeout(() => resolve("never woken"), 60_000)),
  ]);
  clearTimeout(timer);
  assertEquals(settled, GRANTED);
  assertEquals(words[at + STATE], site.agent << 1);
  assertEquals(words[site.agent + A_UNCLAIMED], 0);
});

Deno.test("callAsync: a permit that was picked up, is not taken back by a Sync call that comes before the caller goes on", async () => {
  const { site, other, at } = twoSites();
  const { words } = site.ground;
  const [first, second] = [at, at + 8].map((place) => ({ site, words, at: place }));
  for (const { at } of [first, second]) words[at + STATE] = other.agent << 1;
  const call = (cell: typeof first) =>
    callAsync(
      site,
      FOREVER,
      (waiter) => acquire(cell, MUTEX, waiter, FOREVER),
      revocable(cell, MUTEX),
    );
  const { block, unblock } = await import("../../threading/_core/lot.ts");
  const calls = [call(first), call(second)];
  runSync(other, release({ site: other, words, at: first.at }, MUTEX, 1));
  site.drain();
  // Two turns of the queue of microtasks later the first call has picked up its permit; the second one cannot yet.
  await Promise.resolve();
  runSync(other, release({ site: other, words, at: second.at }, MUTEX, 1));
  assertEquals(words[site.agent + A_UNCLAIMED], 1);
  runSync(site, block(site));
  assertEquals(words[first.at + STATE] >> 1, site.agent, "still held by the first call");
  assertEquals(words[first.at + HEAD], 0);
  assertEquals(words[second.at + STATE], 1, "free, and somebody waits");
  runSync(site, unblock(site));
  assertEquals(await Promise.all(calls), [GRANTED, GRANTED]);
  assertEquals(words[site.agent + A_UNCLAIMED], 0);
  assertEquals(words[site.agent + A_STACK], 0);
  assertEquals(site.pending.size, 0);
  assertEquals(words[site.agent + A_SPARE] !== 0, true);
});
