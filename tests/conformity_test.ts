/** docs/conformity.md names tests that are there. */
import { assert, assertEquals } from "@std/assert";

const page = Deno.readTextFileSync(new URL("../docs/conformity.md", import.meta.url));
const named = [...new Set(page.match(/tests\/[\w/]+\.ts/g))];

Deno.test("docs/conformity.md: every test that it names, is there and has tests or is a contract", () => {
  assert(named.length > 50, `it names ${named.length} files`);
  const wrong = named.filter((path) => {
    try {
      const text = Deno.readTextFileSync(new URL(`../${path}`, import.meta.url));
      return !path.startsWith("tests/contracts/") &&
        !/Deno\.test\(|Tests?\(|[cC]ontract/.test(text);
    } catch {
      return true;
    }
  });
  assertEquals(wrong, []);
});

Deno.test("docs/conformity.md: every row, says what holds it or why nothing does", () => {
  const rows = page.split("\n").filter((line) => /^\| .*`/.test(line) || /^\| the /.test(line));
  assert(rows.length > 60, `it has ${rows.length} rows`);
  for (const row of rows) {
    const [, subject, heldBy, reason] = row.split("|").map((cell) => cell.trim());
    if (subject.startsWith("CPython")) continue;
    assert(/`tests\/|^none$/.test(heldBy), row);
    assert(heldBy !== "none" || reason !== "", row);
  }
});
