import { assert, assertEquals } from "@std/assert";

const root = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFileSync(new URL(path, root));
const examples = [...Deno.readDirSync(new URL("examples/", root))]
  .filter(({ name }) => name.endsWith(".ts")).map(({ name }) => name.slice(0, -3)).sort();

function* tests(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, root))) {
    if (isDirectory) yield* tests(`${folder}${name}/`);
    else if (name.endsWith("_test.ts")) yield `${folder}${name}`;
  }
}

/** The flags with which a text says that an example is run. */
function flagsIn(text: string, example: string): string | undefined {
  return text.match(new RegExp(`deno run ((?:-\\S+ )*)examples/${example}\\.ts`))?.[1];
}

Deno.test("examples: every program says in its head how it is run, and the list says the same", () => {
  const list = read("examples/README.md");
  for (const example of examples) {
    const head = read(`examples/${example}.ts`).split("\nimport ")[0];
    assert(flagsIn(head, example) !== undefined, `${example}.ts does not say how it is run`);
    assertEquals([example, flagsIn(list, example)], [example, flagsIn(head, example)]);
  }
});

Deno.test("examples: the list names no program that is not there", () => {
  const named = [...read("examples/README.md").matchAll(/examples\/(\w+)\.ts/g)]
    .map(([, name]) => name);
  assertEquals(named.sort(), examples);
});

Deno.test("examples: every program is run by a test", () => {
  const all = [...tests("tests/")].filter((path) => !path.endsWith("examples/all_test.ts"))
    .map(read).join("\n");
  const untested = examples.filter((example) =>
    !new RegExp(`\\b(runExample|linesOf)\\("${example}"|examples/${example}\\.ts`).test(all)
  );
  assertEquals(untested, []);
});
