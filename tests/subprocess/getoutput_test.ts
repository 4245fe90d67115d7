import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  getoutput,
  getoutputSync,
  getstatusoutput,
  getstatusoutputSync,
} from "@batteries/concurrent/subprocess";

const both = async (cmd: string): Promise<[number, string]> => {
  const [one, two] = [await getstatusoutput(cmd), getstatusoutputSync(cmd)];
  assertEquals(one, two);
  const [three, four] = [await getoutput(cmd), getoutputSync(cmd)];
  assertEquals([three, four], [one[1], one[1]]);
  return one;
};

Deno.test("getoutput and getstatusoutput give output and errors in order, without one last line end", async () => {
  assertEquals(await both("echo xyzzy"), [0, "xyzzy"]);
  assertEquals(await both("echo 1; echo 2 >&2; echo 3"), [0, "1\n2\n3"]);
  assertEquals(await both("printf 'a\\n\\n'"), [0, "a\n"]);
  assertEquals(await both("printf a"), [0, "a"]);
  assertEquals(await both("true"), [0, ""]);
});

Deno.test("getstatusoutput gives the return code, -N for signals", async () => {
  assertEquals(await both("echo x; exit 47"), [47, "x"]);
  assertEquals(await both("kill -9 $$"), [-9, ""]);
  const [code, words] = await both("cat /nonexistent-file");
  assertEquals(code, 1);
  assertMatch(words, /No such file/);
});

Deno.test("getoutput survives a syntax error of the command", async () => {
  const [code, words] = await both("echo (");
  assertEquals(code, 2);
  assertMatch(words, /[Ss]yntax error/);
});

Deno.test("getoutput refuses what is no string", async () => {
  for (const cmd of [["echo", "x"], 5, null] as unknown as string[]) {
    await assertRejects(() => getoutput(cmd), TypeError, "cmd");
    await assertRejects(() => getstatusoutput(cmd), TypeError, "cmd");
    assertThrows(() => getoutputSync(cmd), TypeError, "cmd");
    assertThrows(() => getstatusoutputSync(cmd), TypeError, "cmd");
  }
});
