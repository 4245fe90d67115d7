/** `docs/promises.md`: each promise names a test, and each test that is named is there and is run. */

import { assert, assertEquals } from "@std/assert";

const root = new URL("../", import.meta.url);

interface Promised {
  readonly what: string;
  readonly files: readonly string[];
}

/** The rows of the page's tables. */
function promises(text: string): Promised[] {
  const rows = text.split("\n").filter((line) => /^\| (?!-|promise\b)/.test(line));
  return rows.map((row) => {
    const [, what, held] = row.split(/ *\| */);
    return { what, files: [...held.matchAll(/`([^`]+)`/g)].map(([, file]) => file) };
  });
}

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(new URL(path, root));
  } catch {
    return undefined;
  }
}

function* testFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, root))) {
    if (isDirectory) yield* testFiles(`${folder}${name}/`);
    else if (name.endsWith("_test.ts")) yield `${folder}${name}`;
  }
}

/** What is wrong with a promise. */
function wrongIn({ what, files }: Promised, runs: (path: string) => boolean): string[] {
  if (files.length === 0) return [`'${what}' names no test`];
  return files.filter((file) => !runs(file)).map((file) =>
    `'${what}' names ${file}, which is no test that is run`
  );
}

/** Whether a file is a test, or the body of tests that a test imports. */
function runner(): (path: string) => boolean {
  const imported = new Set<string>();
  for (const file of testFiles("tests/")) {
    for (const [, path] of read(file)!.matchAll(/from "(\.[^"]+)"/g)) {
      imported.add(new URL(path, new URL(file, root)).href);
    }
  }
  return (path) => {
    const text = read(path);
    if (text === undefined || !/Deno\.test\(|\bfinds\(|^ *test\(/m.test(text)) return false;
    return path.endsWith("_test.ts") || imported.has(new URL(path, root).href);
  };
}

Deno.test("promises: each names tests, which are there and are run", () => {
  const all = promises(read("docs/promises.md")!);
  assert(all.length > 30, `Only ${all.length} promises were found`);
  const runs = runner();
  assertEquals(all.flatMap((promise) => wrongIn(promise, runs)), []);
});

Deno.test("promises: one without a test, and one whose test is not there or is not run, are found", () => {
  const page = [
    "| promise | held by |",
    "| ------- | ------- |",
    "| Nothing is lost. |  |",
    "| Nobody hangs. | `tests/nowhere_test.ts` |",
    "| It is true. | `tests/fixtures/leaks.ts`, `tests/leaks_test.ts` |",
  ].join("\n");
  const runs = runner();
  assertEquals(promises(page).flatMap((promise) => wrongIn(promise, runs)), [
    "'Nothing is lost.' names no test",
    "'Nobody hangs.' names tests/nowhere_test.ts, which is no test that is run",
    "'It is true.' names tests/fixtures/leaks.ts, which is no test that is run",
  ]);
});
