import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { countBytes, filesIn } from "../../examples/byte_counts.ts";
import { pages, zipAll } from "../../examples/gzip_workers.ts";
import { find } from "../../examples/index_server.ts";
import { checkAll } from "../../examples/progress_board.ts";
import { drawAll, drawRow, HEIGHT, WIDTH } from "../../examples/shared_image.ts";
import { linesOf, runExample } from "./_run.ts";

const root = new URL("../../", import.meta.url);

Deno.test("processes: run as its head says, each ends as it should", async () => {
  const { code, stdout, stderr } = await runExample("processes");
  assertEquals(code, 0);
  const lines = Deno.readTextFileSync(new URL("examples/processes.ts", root)).split("\n").length;
  assertEquals(stdout.trimEnd().split("\n"), [
    "function: info is a child of MainProcess",
    "  ended with 0",
    `line check: ${lines} lines, 0 are too long`,
    "  ended with 0",
    "  ended with 1",
    "  ended with -9",
    "curious: NotCapable",
    "  ended with 0",
  ]);
  assertMatch(stderr, /^Process failing:\nRangeError: this is meant to fail\n {4}at fail /);
});

Deno.test("stanzas: run as its head says, no lines are mixed, and one that was interrupted is told of once", async () => {
  const license = Deno.readTextFileSync(new URL("LICENSE", root)).trim().split("\n\n");
  const stanzas = license.map((paragraph, i) =>
    i === 2
      ? `-- paragraph 3 --\n${paragraph.split("\n")[0]}\n(somebody was interrupted)`
      : `-- paragraph ${i + 1} --\n${paragraph}`
  );
  const said = (await linesOf("stanzas")).join("\n");
  const parts = said.split(/\n(?=--)/);
  assertEquals(parts.sort(), stanzas.sort());
});

Deno.test("byte_counts: processes that add to one array, lose nothing", async () => {
  const expected = new Uint32Array(256);
  const paths = filesIn("queue");
  for (const path of paths) for (const byte of Deno.readFileSync(path)) expected[byte]++;
  for (const processes of [1, 3]) {
    assertEquals(await countBytes(paths, processes), [expected, paths.length]);
  }
});

Deno.test("byte_counts: run as its head says, the space is the most frequent", async () => {
  const lines = await linesOf("byte_counts");
  assertEquals(lines.length, 6);
  assert(lines[0].startsWith('" " '));
  assertMatch(lines[5], /^\d+ bytes in \d+ files, \d+ different$/);
});

Deno.test("index_server: asked for a word, the files that have it are answered", async () => {
  const folders = ["queue", "sched"];
  const expected = Object.fromEntries(folders.map((folder) => {
    const url = new URL(`${folder}/`, root);
    const files = [...Deno.readDirSync(url)].filter(({ isFile }) => isFile)
      .map(({ name }) => name)
      .filter((name) => /\bPromise\b/.test(Deno.readTextFileSync(new URL(name, url))));
    return [folder, files.sort()];
  }));
  assert(expected["queue"].length > 0);
  assertEquals(await find("Promise", folders), expected);
});

Deno.test("index_server: run as its head says, a word that is nowhere is answered too", async () => {
  assertEquals(await linesOf("index_server", "Zyzzyva"), [
    "contextvars: -",
    "queue: -",
    "sched: -",
    "threading: -",
  ]);
});

Deno.test("gzip_workers: every file is compressed once, to what one process makes of it", async () => {
  const zipped = await zipAll(pages(), 3);
  assertEquals(zipped.map(({ path }) => path).sort(), pages().sort());
  for (const { path, size, small } of zipped) {
    const bytes = Deno.readFileSync(path);
    const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    assertEquals([size, small], [
      bytes.length,
      (await new Response(stream).arrayBuffer()).byteLength,
    ]);
  }
});

Deno.test("gzip_workers: a file that is not there, ends its worker, and the program hears of it", async () => {
  const error = await assertRejects(() => zipAll(["/nowhere/at/all"], 3), Error);
  assertMatch(error.message, /^Process-\d+ ended with exit code 1$/);
});

Deno.test("gzip_workers: run as its head says, sums up", async () => {
  const lines = await linesOf("gzip_workers");
  assertMatch(lines.at(-1)!, new RegExp(`^${pages().length} files, \\d+ bytes, \\d+ compressed$`));
});

Deno.test("secret_visitors: run as its head says, who knows the key is let in and gets everything", async () => {
  assertEquals((await linesOf("secret_visitors")).sort(), [
    "host served somebody",
    "host: AuthenticationError",
    "visitor gets 8 bytes: 42 1729 0 0 0",
    'visitor gets [ 2.25, null, "junk", Map(1) { "float" => 1.5 } ]',
    "visitor gets hello",
    "visitor is not let in",
  ]);
});

Deno.test("shared_image: drawn by several processes, is the picture that one draws", async () => {
  const expected = new Uint8Array(WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) drawRow(expected, y);
  const picture = await drawAll(2);
  assert(picture.every((grey, i) => grey === expected[i]));
  assertEquals(picture.length, expected.length);
});

Deno.test("shared_image: run as its head says, prints a picture and writes it to a file", async () => {
  const file = Deno.makeTempFileSync({ suffix: ".pgm" });
  try {
    const lines = await linesOf("shared_image", file);
    assertEquals(lines.length, 20);
    const pgm = Deno.readFileSync(file);
    assertEquals(new TextDecoder().decode(pgm.subarray(0, 15)), "P5 600 400 255\n");
    assertEquals(pgm.length, 15 + WIDTH * HEIGHT);
    assertEquals([pgm[15], pgm[15 + 200 * WIDTH + 400]], [1, 255]);
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("progress_board: rows that processes wrote, are what is in the folders", async () => {
  const rows = await checkAll(["queue", "sched"]);
  for (const [i, folder] of ["queue", "sched"].entries()) {
    const url = new URL(`${folder}/`, root);
    const texts = [...Deno.readDirSync(url)].filter(({ isFile }) => isFile)
      .map(({ name }) => Deno.readTextFileSync(new URL(name, url)).split("\n"));
    const lines = texts.flat();
    const comments = lines.filter((line) => /^\s*(\/\*\*|\*|\/\/)/.test(line)).length;
    assertEquals(rows[i], [folder, texts.length, lines.length, comments / lines.length, true]);
  }
});

Deno.test("progress_board: run as its head says, has a line for each folder", async () => {
  const lines = await linesOf("progress_board");
  assertEquals(lines.map((line) => line.split(":")[0]), ["queue", "futures", "threading"]);
});
