import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  PIPE,
  Popen,
  run,
  type RunOptions,
  runSync,
  SubprocessError,
} from "@batteries/concurrent/subprocess";

/** What `cat` gives back of these bytes under these options, from run and runSync, which must agree. */
async function read(bytes: number[] | string, options: RunOptions): Promise<unknown> {
  const input = typeof bytes === "string"
    ? new TextEncoder().encode(bytes)
    : Uint8Array.from(bytes);
  const [one, two] = [
    (await run(["cat"], { input, stdout: PIPE, ...options })).stdout,
    runSync(["cat"], { input, stdout: PIPE, ...options }).stdout,
  ];
  assertEquals(one, two);
  return one;
}

Deno.test("text, universalNewlines, encoding and errors each make text; nothing makes bytes", async () => {
  const each: RunOptions[] = [{ text: true }, { universalNewlines: true }, { encoding: "utf-8" }, {
    errors: "strict",
  }];
  for (const options of each) assertEquals(await read("é\n", options), "é\n");
  for (const options of [{}, { text: false }, { universalNewlines: false }] as RunOptions[]) {
    assertEquals(await read("a", options), Uint8Array.of(97));
  }
});

Deno.test("text and universalNewlines that differ are a SubprocessError", async () => {
  for (const [text, universalNewlines] of [[true, false], [false, true]]) {
    await assertRejects(
      () => run(["true"], { text, universalNewlines }),
      SubprocessError,
      "they mean the same",
    );
    assertThrows(() => new Popen(["true"], { text, universalNewlines }), SubprocessError);
  }
  assertEquals(await read("a\r\n", { text: true, universalNewlines: true }), "a\n");
});

Deno.test("Line ends become \\n", async () => {
  assertEquals(
    await read("line1\nline2\rline3\r\nline4\r\n\rline6", { text: true }),
    "line1\nline2\nline3\nline4\n\nline6",
  );
  assertEquals(await read("a\r\nb", {}), new TextEncoder().encode("a\r\nb"));
});

Deno.test("Any encoding of TextDecoder can be read", async () => {
  assertEquals(await read([0xe9, 0x80], { encoding: "windows-1252" }), "é€");
  assertEquals(await read([0xa4], { encoding: "iso-8859-15" }), "€");
  assertEquals(await read([0x82, 0xa0], { encoding: "shift_jis" }), "あ");
  assertEquals(await read([0x31, 0, 0x0d, 0, 0x0a, 0, 0x32, 0], { encoding: "utf-16le" }), "1\n2");
  assertEquals(await read([0, 0x31, 0, 0x0a], { encoding: "utf-16be" }), "1\n");
  assertEquals(await read([0xff, 0xfe, 0x31, 0], { encoding: "utf-16" }), "1");
});

Deno.test("A byte order mark of UTF-8 is a character, as in Python", async () => {
  assertEquals(await read([0xef, 0xbb, 0xbf, 0x61], { text: true }), "\ufeffa");
});

Deno.test("A character that reads split is one character", async () => {
  const script = "printf '\\342'; sleep 0.02; printf '\\202'; sleep 0.02; printf '\\254'";
  assertEquals((await run(script, { shell: true, stdout: PIPE, text: true })).stdout, "€");
  const long = "€".repeat(100_000);
  assertEquals(await read(long, { text: true }), long);
});

Deno.test("errors: strict throws a TypeError, replace and ignore do what they say", async () => {
  const bytes = [0x61, 0xff, 0xc3, 0x62, 0xef, 0xbf, 0xbd, 0xe2, 0x82];
  await assertRejects(() => read(bytes, { errors: "strict" }), TypeError, "utf-8");
  assertThrows(
    () => runSync("printf '\\377'", { shell: true, stdout: PIPE, text: true }),
    TypeError,
    "utf-8",
  );
  assertEquals(await read(bytes, { errors: "replace" }), "a\ufffd\ufffdb\ufffd\ufffd");
  // The replacement character that the child has written itself stays.
  assertEquals(await read(bytes, { errors: "ignore" }), "ab\ufffd");
  assertEquals(
    await read([0xfd, 0xff, 0, 0xd8, 0x61, 0], { errors: "ignore", encoding: "utf-16le" }),
    "\ufffda",
  );
  assertEquals(await read([0x61, 0x81], { errors: "ignore", encoding: "shift_jis" }), "a");
});

Deno.test("input in text mode is written in the encoding", async () => {
  const write = async (input: string, encoding: string) =>
    (await run(["od", "-An", "-tx1"], { input, encoding, stdout: PIPE })).stdout.trim();
  assertEquals(await write("é€", "utf-8"), "c3 a9 e2 82 ac");
  assertEquals(await write("é€", "latin1"), "e9 80"); // The web's latin1 is windows-1252.
  assertEquals(await write("я", "koi8-r"), "d1");
  const wide = Uint8Array.of(0x31, 0, 0xac, 0x20);
  assertEquals(
    (await run(["cat"], { input: "1€", encoding: "utf-16le", stdout: PIPE })).stdout,
    "1€",
  );
  assertEquals(
    (await run(["wc", "-c"], { input: wide, stdout: PIPE, text: true })).stdout.trim(),
    "4",
  );
});

Deno.test("input that the encoding cannot hold is refused before anything is started", async () => {
  await assertRejects(
    () => run(["/nonexistent"], { input: "я", encoding: "latin1" }),
    RangeError,
    "no byte",
  );
  await assertRejects(
    () => run(["/nonexistent"], { input: "あ", encoding: "shift_jis" }),
    TypeError,
    "not written",
  );
  assertThrows(
    () => runSync(["/nonexistent"], { input: "あ", encoding: "gbk" }),
    TypeError,
    "not written",
  );
});

Deno.test("An unknown encoding or error handling is refused before anything is started", async () => {
  await assertRejects(
    () => run(["/nonexistent"], { encoding: "nonsense" }),
    RangeError,
    "nonsense",
  );
  await assertRejects(
    () => run(["/nonexistent"], { errors: "loudly" as "strict" }),
    RangeError,
    "loudly",
  );
  await assertRejects(
    () => run(["/nonexistent"], { encoding: 5 as unknown as string }),
    TypeError,
    "encoding",
  );
});

Deno.test("TimeoutExpired has bytes in text mode too", async () => {
  const error = await run("echo x; exec sleep 1000", {
    shell: true,
    stdout: PIPE,
    text: true,
    timeout: 3000,
  })
    .catch((error) => error);
  assertEquals([error.stdout, error.stderr], [new TextEncoder().encode("x\n"), null]);
});
