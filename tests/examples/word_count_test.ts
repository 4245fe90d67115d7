import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const example = new URL("../../examples/word_count.ts", import.meta.url).href;

interface Report {
  words: [string, number][];
  text: number;
  binary: number;
  failed: { path: string; reason: string }[];
}

async function run(args: string[]) {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", example, ...args],
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

function temporaryFolder(): Disposable & { path: string } {
  const path = Deno.makeTempDirSync();
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** What one thread finds that takes one file after another. */
function countPlainly(folder: string, words = new Map<string, number>()): Map<string, number> {
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) countPlainly(path, words);
    if (!entry.isFile || !/\.(ts|md)$/.test(entry.name)) continue;
    for (const word of Deno.readTextFileSync(path).toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
      words.set(word, (words.get(word) ?? 0) + 1);
    }
  }
  return words;
}

Deno.test("word_count: this package's own sources, have the same counts as one thread finds", async () => {
  const folder = new URL("../../threading", import.meta.url).pathname;
  const expected = countPlainly(folder);
  for (const threads of [1, 3]) {
    const { code, stdout, stderr } = await run([
      "--json",
      "--top",
      "1000000",
      "--threads",
      `${threads}`,
      folder,
    ]);
    assertEquals(stderr, "");
    assertEquals(code, 0);
    const report = JSON.parse(stdout) as Report;
    assertEquals(new Map(report.words), expected);
    assert(report.text > 20);
    assertEquals(report.binary, 0);
  }
});

Deno.test("word_count: more files than a queue holds, a large one, and files that are no text", async () => {
  using folder = temporaryFolder();
  const { path } = folder;
  Deno.mkdirSync(`${path}/a/b`, { recursive: true });
  for (let i = 0; i < 350; i++) Deno.writeTextFileSync(`${path}/a/${i}.txt`, `Straße straße n${i}`);
  Deno.writeTextFileSync(`${path}/a/b/large.txt`, "lorem Ipsum\n".repeat(200_000));
  Deno.writeTextFileSync(`${path}/a/empty`, "");
  Deno.writeFileSync(`${path}/zero.bin`, new Uint8Array(100));
  Deno.writeFileSync(`${path}/latin1.txt`, new Uint8Array([0x61, 0xe9, 0x62]));
  Deno.symlinkSync(path, `${path}/a/loop`);
  const { code, stdout, stderr } = await run([path]);
  assertEquals(stderr, "");
  assertEquals(code, 0);
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines[0], " count  word");
  assertEquals(lines.slice(1, 5), [
    "200000  ipsum",
    "200000  lorem",
    "   700  straße",
    "     1  n0",
  ]);
  assertMatch(
    lines.at(-1)!,
    /^401050 words, 353 different, in 352 text files; 2 other files left out; [\d.]+ s$/,
  );
});

Deno.test("word_count: an empty folder, is no error", async () => {
  using folder = temporaryFolder();
  const { code, stdout } = await run([folder.path]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "0 words, 0 different, in 0 text files");
});

for (
  const [what, args, expected] of [
    ["a missing folder", ["/nowhere/at/all"], "cannot read /nowhere/at/all: no such folder"],
    ["a file instead of a folder", [Deno.execPath()], "it is a file, not a folder"],
    ["no folder", [], "give one folder"],
    ["no thread", ["--threads", "0", "."], "--threads must be a whole number from 1 to 256, got 0"],
    ["an unknown option", ["--thread", "."], "'--thread'"],
  ] as const
) {
  Deno.test(`word_count: ${what}, ends with code 2 and one line on stderr`, async () => {
    const { code, stdout, stderr } = await run([...args]);
    assertEquals(code, 2);
    assertEquals(stdout, "");
    assertMatch(stderr, /^word_count: [^\n]+\n$/);
    assertStringIncludes(stderr, expected);
  });
}
