import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const example = new URL("../../examples/hash_tree.ts", import.meta.url).href;

interface Report {
  folder: string;
  files: number;
  failed: number;
  bytes: number;
  threads: number;
  results: { path: string; size: number; sha256: string }[];
  failures: { path: string; reason: string }[];
}

async function run(args: string[], options: { cwd?: string; uid?: number } = {}) {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", example, ...args],
    env: { NO_COLOR: "1" },
    ...options,
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** What the system's own program says of the same folder. */
async function sha256sum(folder: string): Promise<Record<string, string>> {
  const script = `find "$1" -type f -print0 | xargs -0 -r sha256sum --zero`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script, "sh", folder] }).output();
  const lines = new TextDecoder().decode(stdout).split("\0").filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}

function digests(report: Report): Record<string, string> {
  return Object.fromEntries(report.results.map(({ path, sha256 }) => [path, sha256]));
}

/** A temporary folder, gone at the end of the block. */
function temporaryFolder(): Disposable & { path: string } {
  const path = Deno.makeTempDirSync();
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** Whether the system has this program. */
function has(program: string): boolean {
  const args = ["-c", `command -v ${program}`];
  return Deno.build.os === "linux" && new Deno.Command("sh", { args }).outputSync().success;
}

/** `size` bytes that do not repeat in any simple way. */
function noise(size: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4));
  for (let i = 0, x = 2463534242; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return new Uint8Array(words.buffer, 0, size);
}

function plant(root: string): void {
  Deno.mkdirSync(`${root}/über/深い/🌳`, { recursive: true });
  Deno.mkdirSync(`${root}/empty folder`);
  Deno.writeFileSync(`${root}/big.bin`, noise(50_000_000));
  Deno.writeFileSync(`${root}/empty`, new Uint8Array(0));
  Deno.writeTextFileSync(`${root}/über/深い/🌳/ñame with spaces.txt`, "text");
  Deno.writeTextFileSync(`${root}/line\nbreak and \x1b[31m`, "odd");
  for (let i = 0; i < 50; i++) Deno.writeFileSync(`${root}/über/${i}.bin`, noise(i * 4099));
  Deno.symlinkSync(root, `${root}/über/loop`);
  Deno.symlinkSync(`${root}/empty`, `${root}/link to a file`);
  Deno.symlinkSync(`${root}/nowhere`, `${root}/broken link`);
}

Deno.test("hash_tree: a tree with a large file, odd names and a loop of links, has the digests of sha256sum", async () => {
  using folder = temporaryFolder();
  plant(folder.path);
  const expected = await sha256sum(folder.path);
  assertEquals(Object.keys(expected).length, 54);
  for (const threads of [1, 2, 5]) {
    const { code, stdout, stderr } = await run(["--json", "--threads", `${threads}`, folder.path]);
    assertEquals(stderr, "");
    assertEquals(code, 0);
    const report = JSON.parse(stdout) as Report;
    assertEquals(digests(report), expected);
    assertEquals(report.threads, threads);
    assertEquals(report.files, 54);
    assertEquals(report.failed, 0);
    const size = report.results.reduce((sum, { size }) => sum + size, 0);
    assertEquals(report.bytes, size);
    assertEquals(report.results.find(({ path }) => path.endsWith("big.bin"))!.size, 50_000_000);
  }
});

Deno.test("hash_tree: without --json, prints a table and a sum, and no bar where there is no terminal", async () => {
  using folder = temporaryFolder();
  plant(folder.path);
  const expected = await sha256sum(folder.path);
  const { code, stdout, stderr } = await run(["."], { cwd: folder.path });
  assertEquals(stderr, "");
  assertEquals(code, 0);
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines.length, 56);
  assertMatch(lines[0], /^sha256 +size +path$/);
  assertMatch(lines[55], /^54 files, [\d.]+ MB in [\d.]+ s, [\d.]+ MB\/s, \d+ threads?$/);
  const prefix = expected[`${folder.path}/big.bin`].slice(0, 16);
  assert(lines.includes(`${prefix}  50000000  ./big.bin`));
  assert(lines.some((line) => line.endsWith(`./line\\nbreak and \\u001b[31m`)));
});

Deno.test("hash_tree: an empty folder, is no error", async () => {
  using folder = temporaryFolder();
  const { code, stdout } = await run([folder.path]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "0 files, 0 B");
});

for (
  const [what, args, expected] of [
    ["a missing folder", ["/nowhere/at/all"], "cannot read /nowhere/at/all: no such folder"],
    ["a file instead of a folder", [Deno.execPath()], "it is a file, not a folder"],
    ["no folder", [], "give one folder"],
    ["two folders", [".", "."], "give one folder"],
    ["no thread", ["--threads", "0", "."], "--threads must be a whole number from 1 to 256, got 0"],
    ["an unknown option", ["--thread", "."], "'--thread'"],
  ] as const
) {
  Deno.test(`hash_tree: ${what}, ends with code 2 and one line on stderr`, async () => {
    const { code, stdout, stderr } = await run([...args]);
    assertEquals(code, 2);
    assertEquals(stdout, "");
    assertMatch(stderr, /^hash_tree: [^\n]+\n$/);
    assertStringIncludes(stderr, expected);
  });
}

Deno.test({
  name:
    "hash_tree: files and folders that may not be read, are named and counted, the rest is hashed",
  // Root may read everything, so it gives up that power for the program.
  ignore: Deno.build.os === "windows" || Deno.uid() === 0 && !has("setpriv"),
  async fn() {
    using folder = temporaryFolder();
    const { path } = folder;
    Deno.writeTextFileSync(`${path}/open.txt`, "open");
    Deno.writeTextFileSync(`${path}/secret.txt`, "secret");
    Deno.mkdirSync(`${path}/closed`);
    Deno.writeTextFileSync(`${path}/closed/inside.txt`, "inside");
    Deno.chmodSync(path, 0o755);
    Deno.chmodSync(`${path}/secret.txt`, 0);
    Deno.chmodSync(`${path}/closed`, 0);
    // Open again for whoever cleans up.
    using _reopen = { [Symbol.dispose]: () => Deno.chmodSync(`${path}/closed`, 0o755) };

    const asNobody = Deno.uid() === 0;
    const args = ["run", "-A", example, "--json", path];
    const program = asNobody ? "setpriv" : Deno.execPath();
    const prefix = asNobody
      ? ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", Deno.execPath()]
      : [];
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [...prefix, ...args],
      env: { NO_COLOR: "1" },
    }).output();
    const report = JSON.parse(new TextDecoder().decode(stdout)) as Report;
    assertEquals(report.results.map(({ path }) => path), [`${path}/open.txt`]);
    assertEquals(report.failures, [
      { path: `${path}/closed`, reason: "permission denied" },
      { path: `${path}/secret.txt`, reason: "permission denied" },
    ]);
    assertEquals(code, 1);
    const said = new TextDecoder().decode(stderr);
    assertStringIncludes(said, `cannot read ${path}/secret.txt: permission denied\n`);
    assertStringIncludes(said, "2 paths could not be read\n");
  },
});

Deno.test({
  name: "hash_tree: on a terminal, draws a bar on stderr and wipes it out",
  ignore: !has("script"),
  async fn() {
    using folder = temporaryFolder();
    // Large enough for several drawings, sparse so that it takes no room.
    using file = Deno.createSync(`${folder.path}/sparse`);
    file.truncateSync(400_000_000);
    const command = `'${Deno.execPath()}' run -A '${example}' '${folder.path}'`;
    const { code, stdout } = await new Deno.Command("script", {
      args: ["-qec", command, "/dev/null"],
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const seen = new TextDecoder().decode(stdout);
    assertEquals(code, 0);
    assertMatch(seen, /\r[█░]{30} +\d+% {2}[^\r]+ of 400\.0 MB/);
    assertStringIncludes(seen, "\r\x1b[Ksha256");
    assertStringIncludes(seen, "1 file, 400.0 MB");
  },
});
