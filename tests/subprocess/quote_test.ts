import { assertEquals, assertThrows } from "@std/assert";
import { list2cmdline } from "@batteries/concurrent/subprocess";

Deno.test("list2cmdline follows CPython's table to the letter", () => {
  const table: [string[], string][] = [
    [["a b c", "d", "e"], '"a b c" d e'],
    [['ab"c', "\\", "d"], 'ab\\"c \\ d'],
    [['ab"c', " \\", "d"], 'ab\\"c " \\\\" d'],
    [["a\\\\\\b", "de fg", "h"], 'a\\\\\\b "de fg" h'],
    [['a\\"b', "c", "d"], 'a\\\\\\"b c d'],
    [['a\\\\"b c', "d", "e"], '"a\\\\\\\\\\"b c" d e'],
    [["a\\\\b c", "d", "e"], '"a\\\\b c" d e'],
    [["ab", ""], 'ab ""'],
    [["a\tb"], '"a\tb"'],
    [["a\nb"], "a\nb"],
    [['"'], '\\"'],
    [["\\\\"], "\\\\"],
    [[], ""],
  ];
  for (const [args, line] of table) assertEquals(list2cmdline(args), line);
});

Deno.test("list2cmdline refuses what is no string", () => {
  assertThrows(() => list2cmdline(["a", 5 as unknown as string]), TypeError, "item 1");
});
