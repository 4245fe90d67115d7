import { assert, assertEquals, assertMatch } from "@std/assert";
import { countWith, digitsOfPi } from "../../examples/bare_threads.ts";
import { heatPlate, HEIGHT, WIDTH } from "../../examples/heat_plate.ts";
import { countLines, sources } from "../../examples/own_tallies.ts";
import { enumerate, mainThread } from "@batteries/concurrent/threading";
import { linesOf, runExample } from "./_run.ts";

/** The same heat, by one loop over everything. */
function heatPlainly(): { steps: number; cells: Float64Array } {
  let now = new Float64Array(WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) now[y * WIDTH] = 100;
  for (let steps = 1;; steps++) {
    const next = now.slice();
    let change = 0;
    for (let y = 1; y < HEIGHT - 1; y++) {
      for (let x = 1; x < WIDTH - 1; x++) {
        const i = y * WIDTH + x;
        next[i] = (now[i - 1] + now[i + 1] + now[i - WIDTH] + now[i + WIDTH]) / 4;
        change = Math.max(change, Math.abs(next[i] - now[i]));
      }
    }
    now = next;
    if (change <= 0.002) return { steps, cells: now };
  }
}

Deno.test("heat_plate: with one thread and with several, has the very same cells as a plain loop", async () => {
  const expected = heatPlainly();
  for (const threads of [1, 3, 4]) {
    const news: number[] = [];
    const { steps, cells } = await heatPlate(threads, (steps) => news.push(steps));
    assertEquals(steps, expected.steps);
    assertEquals([...cells], [...expected.cells]);
    assertEquals(news.at(-1), steps);
    assertEquals(news, news.toSorted((a, b) => a - b));
  }
});

Deno.test("heat_plate: run as its head says, draws a plate that is as hot above as below", async () => {
  const { code, stdout, stderr } = await runExample("heat_plate");
  assertEquals(code, 0);
  assertMatch(stderr, /^(\d+ steps\n)+$/);
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines.length, HEIGHT + 1);
  assertEquals(lines.slice(0, HEIGHT).reverse(), lines.slice(0, HEIGHT));
  assertEquals(
    lines[HEIGHT],
    `nothing changes by more than 0.002 degrees after ${heatPlainly().steps} steps`,
  );
});

Deno.test("own_tallies: the tallies of all threads together, are those of one loop; the main thread's own is empty", async () => {
  const texts = sources().map((path) => Deno.readTextFileSync(path));
  const longest = Math.max(...texts.flatMap((text) => text.split("\n").map((line) => line.length)));
  const [told, mine] = await countLines(sources(), 3);
  assertEquals(told.map(({ thread }) => thread), ["reader 1", "reader 2", "reader 3"]);
  assertEquals(told.reduce((sum, { files }) => sum + files, 0), texts.length);
  const lines = texts.reduce((sum, text) => sum + text.split("\n").length, 0);
  assertEquals(told.reduce((sum, { lines }) => sum + lines, 0), lines);
  assertEquals(Math.max(...told.map(({ longest }) => longest.length)), longest);
  assertEquals([mine.files, mine.lines, mine.longest], [0, 0, ""]);
});

Deno.test("own_tallies: run as its head says, has a line for each thread", async () => {
  const lines = await linesOf("own_tallies");
  assertEquals(lines.length, 4);
  for (const [i, line] of lines.slice(0, 3).entries()) {
    assertMatch(
      line,
      new RegExp(`^reader ${i + 1}: \\d+ files, \\d+ lines, the longest has \\d+$`),
    );
  }
  assert(lines[3] === "main thread: 0 files");
});

Deno.test("bare_threads: the digits of pi, are counted as one loop counts them, by threads without work too", async () => {
  const digits = digitsOfPi(50);
  assertEquals(digits, "14159265358979323846264338327950288419716939937510");
  const expected = Array.from("0123456789", (digit) => digits.split(digit).length - 1);
  for (const threads of [1, 3, 60]) assertEquals(await countWith(threads, digits), expected);
  // The locks are free a moment before the threads have ended.
  for (const thread of enumerate()) if (thread !== mainThread()) await thread.join();
});

Deno.test("bare_threads: run as its head says, has the counts of the first thousand digits that tables have", async () => {
  assertEquals(await linesOf("bare_threads"), [
    "0: 93  1: 116  2: 103  3: 102  4: 93  5: 97  6: 94  7: 95  8: 101  9: 106",
  ]);
});
