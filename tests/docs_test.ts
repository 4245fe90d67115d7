/**
 * The programs in the documentation run. `deno test --doc` runs the examples that fit into one module; those that start threads need
 * a file of their own to be imported from, and get one here:
 *
 * - in Markdown, every block marked `ts`; when a block marked `text` follows it directly, that is what it prints;
 * - in doc comments, every block marked `ts no-eval`.
 */
import { assert, assertEquals } from "@std/assert";

const root = new URL("../", import.meta.url);
const config = new URL("deno.json", root).pathname;

interface Program {
  readonly where: string;
  readonly source: string;
  readonly prints: string | undefined;
}

function* walk(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, root))) {
    if (isDirectory) yield* walk(`${folder}${name}/`);
    else yield `${folder}${name}`;
  }
}

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, root));
}

function* inMarkdown(path: string): Generator<Program> {
  const text = read(path);
  // Those in lists are indented.
  const blocks = /^( *)```ts\n(.*?)^\1```\n(?:\n\1```text\n(.*?)^\1```\n)?/gms;
  for (const [all, indent, source, prints] of text.matchAll(blocks)) {
    const line = text.slice(0, text.indexOf(all)).split("\n").length;
    const flush = (block: string) => block.replaceAll(new RegExp(`^${indent}`, "gm"), "");
    yield { where: `${path}:${line}`, source: flush(source), prints: prints && flush(prints) };
  }
}

function* inComments(path: string): Generator<Program> {
  const text = read(path);
  for (const match of text.matchAll(/^ *\* ```ts no-eval\n(.*?)^ *\* ```$/gms)) {
    const line = text.slice(0, match.index).split("\n").length;
    const source = match[1].replace(/^ *\* ?/gm, "");
    yield { where: `${path}:${line}`, source, prints: undefined };
  }
}

const published = (JSON.parse(read("deno.json")) as { publish: { include: string[] } })
  .publish.include;
const folders = published.filter((name) => Deno.statSync(new URL(name, root)).isDirectory);
const paths = folders.flatMap((folder) => [...walk(`${folder}/`)]);
const markdown = ["README.md", ...walk("docs/"), ...paths].filter((path) => path.endsWith(".md"));
const programs = [
  ...markdown.sort().flatMap((path) => [...inMarkdown(path)]),
  ...paths.filter((path) => path.endsWith(".ts")).sort().flatMap((path) => [...inComments(path)]),
];

async function deno(args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Temporary files for programs. Without an underscore at the start: these are ordinary modules. */
function write(folder: string, list: readonly Program[]): string[] {
  return list.map(({ source, where }, i) => {
    const path = `${folder}/program_${i}.ts`;
    Deno.writeTextFileSync(path, `// ${where}\n${source}`);
    return path;
  });
}

function temporaryFolder(): Disposable & { path: string } {
  const path = Deno.makeTempDirSync();
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test("docs: there are programs in the README, in docs/ and in doc comments", () => {
  for (const start of ["README.md", "docs/", "threading/"]) {
    assert(programs.some(({ where }) => where.startsWith(start)), start);
  }
});

Deno.test("docs: all programs, pass the type checker", async () => {
  using folder = temporaryFolder();
  const files = write(folder.path, programs);
  const { code, stderr } = await deno(["check", "--quiet", "--config", config, ...files]);
  assertEquals([code, stderr], [0, ""]);
});

for (const program of programs) {
  Deno.test(`docs: the program at ${program.where}, runs and prints what it should`, async () => {
    using folder = temporaryFolder();
    const [file] = write(folder.path, [program]);
    const args = ["run", "-A", "--quiet", "--no-check", "--config", config, file];
    const { code, stdout, stderr } = await deno(args);
    assertEquals([code, stderr], [0, ""]);
    if (program.prints !== undefined) assertEquals(stdout, program.prints);
  });
}

Deno.test("docs: links to files of this project, lead somewhere", () => {
  const dead: string[] = [];
  for (const path of markdown) {
    for (const [, target] of read(path).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      try {
        Deno.statSync(new URL(target, new URL(path, root)));
      } catch {
        dead.push(`${path}: ${target}`);
      }
    }
  }
  assertEquals(dead, []);
});

Deno.test("docs: files that are named in backquotes, exist", () => {
  const dead: string[] = [];
  for (const path of markdown) {
    for (
      const [, target] of read(path).matchAll(/`((?:tests|examples|bench|docs)\/[\w/.]+\.\w+)`/g)
    ) {
      try {
        Deno.statSync(new URL(target, root));
      } catch {
        dead.push(`${path}: ${target}`);
      }
    }
  }
  assertEquals(dead, []);
});
