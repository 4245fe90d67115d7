import { assertEquals, assertStringIncludes } from "@std/assert";

const example = new URL("../../examples/pool.ts", import.meta.url).href;
const folder = new URL("../../examples/", import.meta.url).pathname;
const files = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile)
  .map(({ name }) => folder + name);

async function run(command: string, args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { NO_COLOR: "1", LC_ALL: "C" },
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

const pool = (...args: string[]) => run(Deno.execPath(), ["run", "-A", example, ...args]);
const lines = (text: string) =>
  text.trim().split("\n").map((line) => line.trim().replace(/ +/g, " "));

for (const method of ["apply", "map", "imap", "unordered"]) {
  Deno.test(`pool: the examples of this package by ${method}, have the counts that wc finds`, async () => {
    const wc = lines((await run("wc", files)).out);
    const { code, out, err } = await pool("--processes", "2", "--method", method, ...files);
    assertEquals([code, err], [0, ""]);
    const ours = lines(out);
    if (method === "unordered") assertEquals(ours.toSorted(), wc.toSorted());
    else assertEquals(ours, wc);
  });

  Deno.test(`pool: a file that is not there, by ${method}, is named and stops no other`, async () => {
    const { code, out, err } = await pool("--method", method, "/not/there", files[0]);
    assertEquals(code, 1);
    assertStringIncludes(err, "/not/there: NotFound");
    assertStringIncludes(out, files[0]);
  });
}

Deno.test("pool: without files, tells how it is used", async () => {
  const { code, err } = await pool();
  assertEquals(code, 2);
  assertStringIncludes(err, "usage");
});
