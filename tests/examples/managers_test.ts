import { assertEquals, assertMatch } from "@std/assert";
import { main } from "../../examples/manager.ts";

const root = new URL("../../", import.meta.url);

Deno.test("examples/manager.ts, counts the words of files", async () => {
  const folder = Deno.makeTempDirSync();
  const [a, b] = ["a.txt", "b.txt"].map((name) => `${folder}/${name}`);
  Deno.writeTextFileSync(a, "The cat, the dog and the cat");
  Deno.writeTextFileSync(b, "A dog");
  const { frequent, lines } = await main([a, b]);
  assertEquals(frequent, [["the", 3], ["cat", 2], ["dog", 2], ["a", 1], ["and", 1]]);
  assertEquals(lines, [`      7  ${a}`, `      2  ${b}`]);
  Deno.removeSync(folder, { recursive: true });
});

async function run(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("examples/remote_manager.ts", root).href, ...args],
    env: { NO_COLOR: "1", QUEUE_KEY: "of this test" },
  }).output();
  const text = new TextDecoder();
  assertEquals([success, text.decode(stderr)], [true, ""]);
  return text.decode(stdout);
}

Deno.test("examples/remote_manager.ts, hands a text from one program to another", async () => {
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("examples/remote_manager.ts", root).href, "serve", "0"],
    env: { NO_COLOR: "1", QUEUE_KEY: "of this test" },
    stdout: "piped",
  }).spawn();
  const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await lines.read();
  assertMatch(value!, /^Serving at port \d+\n$/);
  const port = value!.match(/\d+/)![0];
  await run("put", port, "over the network");
  assertEquals(await run("get", port), "over the network\n");
  await run("stop", port);
  assertEquals((await server.status).success, true);
  await lines.cancel();
});
