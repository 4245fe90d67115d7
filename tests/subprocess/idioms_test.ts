import { assertEquals } from "@std/assert";
import { idioms } from "../../examples/subprocess_idioms.ts";

/** What each idiom of the example comes to. */
const outcomes: Record<string, unknown> = {
  "output=$(mycmd myarg)": "hello\n",
  "output=$(dmesg | grep hda)": "hda1\nhda2\n",
  "output=`dmesg | grep hda`": "hda1\n",
  'sts = os.system("mycmd" + " myarg")': 3,
  "more of os.system": "Child was terminated by signal 15",
  "P_NOWAIT": true,
  "P_WAIT": 1,
  "P_NOWAIT with a vector": 0,
  "P_NOWAIT with an environment": "pear\n",
  "popen2": "a\nb\n",
  "popen3": ["in", "oops\n"],
  "popen for writing": 4,
  "mycmd | while read line": 6,
  "mycmd >/dev/null 2>&1": 0,
  "commands.getoutput": "out\nerr",
  "commands.getstatusoutput": [2, "no"],
};

Deno.test("The example's idioms are the ones expected here", () => {
  assertEquals(Object.keys(idioms), Object.keys(outcomes));
});

for (const [line, outcome] of Object.entries(outcomes)) {
  Deno.test(`The idiom for ${line} does what it says`, async () => {
    assertEquals(await idioms[line](), outcome);
  });
}

Deno.test("The example runs with --allow-run alone and prints each idiom", async () => {
  const example = new URL("../../examples/subprocess_idioms.ts", import.meta.url).pathname;
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-run", example],
    stderr: "inherit",
  }).output();
  const printed = new TextDecoder().decode(stdout).trimEnd().split("\n");
  assertEquals([success, printed.length], [true, Object.keys(idioms).length]);
});
