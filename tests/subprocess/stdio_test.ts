import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { closeSync, openSync } from "node:fs";
import {
  call,
  callSync,
  DEVNULL,
  PIPE,
  Popen,
  run,
  runSync,
  type Stdio,
  STDOUT,
} from "@batteries/concurrent/subprocess";

const linux = Deno.build.os === "linux";
const bytes = (text: string) => new TextEncoder().encode(text);

/** An open temporary file, gone at the end of the block. */
class TempFile implements Disposable {
  readonly path = Deno.makeTempFileSync();
  readonly file = Deno.openSync(this.path, { read: true, write: true });
  get text(): string {
    return Deno.readTextFileSync(this.path);
  }
  [Symbol.dispose](): void {
    this.file.close();
    Deno.removeSync(this.path);
  }
}

const fixture = (name: string) =>
  new URL(`../fixtures/subprocess/${name}`, import.meta.url).pathname;

/** What a child of these streams sees behind its descriptors. */
const WHERE = 'readlink "/proc/$$/fd/0" "/proc/$$/fd/1" "/proc/$$/fd/2"';

Deno.test("A Deno.FsFile is used from its position and left open, by Popen, run and runSync", async () => {
  using temp = new TempFile();
  const write = (text: string) => temp.file.writeSync(bytes(text));
  write("0\n");
  await new Popen(["echo", "1"], { stdout: temp.file }).wait();
  write("2\n");
  await run("echo 3; echo 4 >&2; echo 5", { shell: true, stdout: temp.file, stderr: STDOUT });
  runSync(["echo", "6"], { stdout: temp.file });
  runSync(["cat"], { stdout: temp.file, input: "7\n" });
  callSync("echo 8 >&2", { shell: true, stderr: temp.file });
  write("9\n");
  assertEquals(temp.text, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
});

Deno.test("A Deno.FsFile as stdin is read from its position, and the position moves", async () => {
  using temp = new TempFile();
  temp.file.writeSync(bytes("one\ntwo\nthree\n"));
  temp.file.seekSync(4, Deno.SeekMode.Start);
  const first = await run(["head", "-c", "4"], { stdin: temp.file, stdout: PIPE, text: true });
  const rest = runSync(["cat"], { stdin: temp.file, stdout: PIPE, text: true, timeout: 60_000 });
  assertEquals([first.stdout, rest.stdout], ["two\n", "three\n"]);
});

Deno.test({
  name: "Files reach the child in the kernel: it has the file itself as its descriptor",
  ignore: !linux,
  fn: async () => {
    using temp = new TempFile();
    using input = new TempFile();
    await run(WHERE, { shell: true, stdin: input.file, stdout: temp.file, stderr: STDOUT });
    assertEquals(temp.text, `${input.path}\n${temp.path}\n${temp.path}\n`);
  },
});

Deno.test("Several descriptors of one file are told apart by where they stand", async () => {
  using temp = new TempFile();
  using second = Deno.openSync(temp.path, { read: true, write: true });
  using third = Deno.openSync(temp.path, { read: true, write: true });
  temp.file.writeSync(bytes("abcdef"));
  second.seekSync(2, Deno.SeekMode.Start);
  const read = async (file: Deno.FsFile) =>
    (await run(["head", "-c", "2"], { stdin: file, stdout: PIPE, text: true })).stdout;
  assertEquals([await read(second), await read(third), await read(second), await read(temp.file)], [
    "cd",
    "ab",
    "ef",
    "",
  ]);
});

Deno.test("A closed Deno.FsFile is refused", () => {
  const temp = new TempFile();
  temp[Symbol.dispose]();
  assertThrows(() => new Popen(["true"], { stdout: temp.file }), Deno.errors.BadResource);
});

Deno.test("Two children share one file, and its end is where both have ended", async () => {
  using temp = new TempFile();
  const children = ["a", "b"].map((word) =>
    new Popen(`for i in 1 2 3 4 5 6 7 8 9; do echo ${word}; done`, {
      shell: true,
      stdout: temp.file,
    })
  );
  for (const child of children) await child.wait();
  assertEquals(temp.text.split("\n").sort().join(""), "a".repeat(9) + "b".repeat(9));
  assertEquals(temp.file.seekSync(0, Deno.SeekMode.Current), 36);
});

Deno.test("A descriptor's number of node:fs is a place, and the same one for both outputs keeps the order", async () => {
  using temp = new TempFile();
  const fd = openSync(temp.path, "w");
  await call("echo 1; echo 2 >&2; echo 3", { shell: true, stdout: fd, stderr: fd });
  callSync("echo 4; echo 5 >&2", { shell: true, stdout: fd, stderr: STDOUT });
  closeSync(fd);
  assertEquals(temp.text, "1\n2\n3\n4\n5\n");
  assertThrows(() => new Popen(["true"], { stdout: 999_999 }), Error, "not open");
});

Deno.test("stdout: 1 and stderr: 2 are this process's own; so is null", async () => {
  assertEquals(await call(["true"], { stdin: 0, stdout: 1, stderr: 2 }), 0);
  assertEquals(await call(["true"], { stdin: null, stdout: null, stderr: null }), 0);
});

Deno.test("stderr: STDOUT follows stdout into a pipe, a file, DEVNULL and this process's own", async () => {
  const script = "echo out; echo err >&2";
  assertEquals(
    (await run(script, { shell: true, stdout: PIPE, stderr: STDOUT, text: true })).stdout,
    "out\nerr\n",
  );
  assertEquals((await run(script, { shell: true, stdout: DEVNULL, stderr: STDOUT })).stdout, null);
  const outer = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fixture("merged_into_own.ts")],
    stdout: "piped",
    stderr: "piped",
  }).output();
  assertEquals(new TextDecoder().decode(outer.stdout), "err\n");
});

Deno.test("DEVNULL: nothing to read, and what is written is dropped", async () => {
  assertEquals((await run(["cat"], { stdin: DEVNULL, stdout: PIPE })).stdout, new Uint8Array());
  assertEquals((await run(["yes"], { stdout: DEVNULL, timeout: 20 }).catch((e) => e)).output, null);
  assertEquals(
    runSync("echo x; echo y >&2", { shell: true, stdout: DEVNULL, stderr: DEVNULL }).returncode,
    0,
  );
});

Deno.test("A ReadableStream is written to the child, and cancelled when the child has ended", async () => {
  const words = ReadableStream.from(["b\n", "a\n"].map(bytes));
  assertEquals((await run(["sort"], { stdin: words, stdout: PIPE, text: true })).stdout, "a\nb\n");
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1000)),
    cancel: () => void (cancelled = true),
  });
  assertEquals(await call(["head", "-c", "5"], { stdin: endless, stdout: DEVNULL }), 0);
  assert(cancelled);
  let told = false;
  const silent = new ReadableStream<Uint8Array>({ cancel: () => void (told = true) });
  assertEquals(await call("exec <&-; true", { shell: true, stdin: silent }), 0);
  assert(told);
});

Deno.test("A WritableStream gets the output and is closed at its end, which wait() waits for", async () => {
  const pieces: Uint8Array[] = [];
  let closed = false;
  const sink = new WritableStream<Uint8Array>({
    write: async (piece) => {
      await Promise.resolve();
      pieces.push(piece);
    },
    close: () => void (closed = true),
  });
  const child = new Popen("head -c 1000000 /dev/zero; echo err >&2", {
    shell: true,
    stdout: sink,
    stderr: STDOUT,
  });
  assertThrows(() => child.waitSync(), TypeError, "event loop");
  assertEquals(await child.wait(), 0);
  assert(closed);
  assertEquals(pieces.reduce((sum, piece) => sum + piece.length, 0), 1_000_004);
});

Deno.test("What a given stream throws, wait() throws; the child is told by its closed pipe", async () => {
  const sink = new WritableStream<Uint8Array>({ write: () => Promise.reject(new Error("full")) });
  const child = new Popen(["yes"], { stdout: sink });
  await assertRejects(() => child.wait(), Error, "full");
  assertEquals(child.returncode, -13);
  const source = new ReadableStream<Uint8Array>({ pull: () => Promise.reject(new Error("torn")) });
  await assertRejects(() => run(["cat"], { stdin: source, stdout: DEVNULL }), Error, "torn");
  const wrong = ReadableStream.from(["text"]) as unknown as ReadableStream<Uint8Array>;
  await assertRejects(
    () => run(["cat"], { stdin: wrong, stdout: DEVNULL }),
    TypeError,
    "Uint8Array",
  );
});

Deno.test("A pipeline gives all of a long output, and ends from the left and from the right", async () => {
  const seq = new Popen(["seq", "200000"], { stdout: PIPE });
  const wc = new Popen(["wc", "-l"], { stdin: seq.stdout, stdout: PIPE, text: true });
  assertEquals([await wc.communicate(), await seq.wait()], [["200000\n", null], 0]);
  const yes = new Popen(["yes"], { stdout: PIPE });
  const head = new Popen(["head", "-n", "1"], { stdin: yes.stdout, stdout: PIPE, text: true });
  assertEquals([await head.communicate(), await yes.wait()], [["y\n", null], -13]);
});

Deno.test({
  name: "A pipeline is one pipe in the kernel, through a wrapped child too",
  ignore: !linux,
  fn: async () => {
    for (const stderr of [undefined, STDOUT] as const) {
      const left = new Popen('readlink "/proc/$$/fd/1"; cat', {
        shell: true,
        stdin: PIPE,
        stdout: PIPE,
        stderr,
      });
      const right = new Popen('readlink "/proc/$$/fd/0"; cat', {
        shell: true,
        stdin: left.stdout,
        stdout: PIPE,
        text: true,
      });
      left.stdin!.close();
      const [out] = await right.communicate();
      const [mine, theirs] = out.trim().split("\n");
      assertEquals(mine, theirs);
      assert(mine.startsWith("pipe:"));
      assertEquals(await left.wait(), 0);
    }
  },
});

Deno.test("A pipeline of three, with the errors of the first", async () => {
  const a = new Popen("printf 'c\\nb\\n'; echo a >&2", {
    shell: true,
    stdout: PIPE,
    stderr: STDOUT,
  });
  const b = new Popen(["sort"], { stdin: a.stdout, stdout: PIPE });
  const c = new Popen(["tr", "a-z", "A-Z"], { stdin: b.stdout, stdout: PIPE, text: true });
  assertEquals(await c.communicate(), ["A\nB\nC\n", null]);
  assertEquals([await a.wait(), await b.wait()], [0, 0]);
});

Deno.test("A pipeline after a child that has ended has its output", async () => {
  const left = new Popen(["echo", "x"], { stdout: PIPE });
  await left.wait();
  const right = new Popen(["cat"], { stdin: left.stdout, stdout: PIPE, text: true });
  assertEquals(await right.communicate(), ["x\n", null]);
});

Deno.test("A pipeline into the other's stdin, and into runSync", async () => {
  const right = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  const left = new Popen(["echo", "x"], { stdout: right.stdin });
  assertEquals(await right.communicate(), ["x\n", null]);
  assertEquals(await left.wait(), 0);
  if (!linux) return;
  // More than a pipe holds: it is still writing when the other starts.
  const source = new Popen(["seq", "100000"], { stdout: PIPE });
  assertEquals(
    runSync(["wc", "-l"], { stdin: source.stdout, stdout: PIPE, text: true }).stdout,
    "100000\n",
  );
  assertEquals(await source.wait(), 0);
});

Deno.test("A pipe that was given away is closed here: communicate has nothing of it", async () => {
  const left = new Popen(["echo", "x"], { stdout: PIPE });
  const right = new Popen(["cat"], { stdin: left.stdout, stdout: PIPE, text: true });
  assertEquals(await right.communicate(), ["x\n", null]);
  assertEquals(await left.communicate(), [new Uint8Array(), null]);
});

Deno.test("Streams of the wrong direction, locked ones and other values are refused", () => {
  const refused: [string, unknown, typeof TypeError | typeof RangeError][] = [
    ["stdin", new WritableStream(), TypeError],
    ["stdout", new ReadableStream(), TypeError],
    ["stdout", "file.txt", TypeError],
    ["stderr", {}, TypeError],
    ["stdout", 1.5, RangeError],
    ["stdout", -7, RangeError],
    ["stdin", STDOUT, RangeError],
    ["stdout", STDOUT, RangeError],
  ];
  for (const [name, value, error] of refused) {
    assertThrows(() => new Popen(["true"], { [name]: value as Stdio }), error, name);
  }
  const one = new WritableStream();
  assertThrows(
    () => new Popen(["true"], { stdout: one, stderr: one }),
    RangeError,
    "stderr: STDOUT",
  );
  const locked = new ReadableStream();
  locked.getReader();
  assertThrows(() => new Popen(["cat"], { stdin: locked }), TypeError, "lock");
});

Deno.test("Standard streams may be swapped", async () => {
  using one = new TempFile();
  using two = new TempFile();
  one.file.writeSync(bytes("in"));
  one.file.seekSync(0, Deno.SeekMode.Start);
  await run("cat; echo e >&2", {
    shell: true,
    stdin: one.file,
    stdout: two.file,
    stderr: one.file,
  });
  assertEquals([one.text, two.text], ["ine\n", "in"]);
});
