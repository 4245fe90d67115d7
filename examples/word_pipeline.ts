/**
 * The most frequent words of a text, by programs that every Unix has: `tr | tr | sort | uniq -c | sort -rn | head`, without a shell.
 *
 * The chapter's `subprocess`: each program's output is the next one's input, joined in the kernel. When `head` has read enough, those
 * before it learn by SIGPIPE that nobody listens any more.
 *
 *     deno run --allow-run --allow-read examples/word_pipeline.ts
 *
 * @module
 */
import { PIPE, Popen } from "@batteries/concurrent/subprocess";

/** What came out at the end of a pipeline, and how each program in it ended. */
interface Piped {
  output: string;
  codes: number[];
}

/** Runs programs, each of which reads what the one before writes. The first reads a file. */
export async function pipeline(file: string, ...commands: string[][]): Promise<Piped> {
  using input = Deno.openSync(file);
  await using stack = new AsyncDisposableStack();
  const children: Popen[] = [];
  for (const command of commands) {
    const stdin = children.at(-1)?.stdout ?? input;
    const child = new Popen(command, { stdin, stdout: PIPE });
    children.push(stack.use(child));
  }
  const [output] = await children.at(-1)!.communicate();
  const codes = await Promise.all(children.map((child) => child.wait()));
  return { output: new TextDecoder().decode(output as Uint8Array), codes };
}

/** The most frequent words of a file. */
export async function topWords(file: string, n: number): Promise<[string, number][]> {
  const { output } = await pipeline(
    file,
    ["tr", "A-Z", "a-z"],
    ["tr", "-cs", "a-z", "\n"],
    ["grep", "."],
    ["sort"],
    ["uniq", "-c"],
    ["sort", "-k1,1nr", "-k2"],
    ["head", "-n", String(n)],
  );
  return output.trimEnd().split("\n").map((line) => {
    const [count, word] = line.trim().split(" ");
    return [word, Number(count)];
  });
}

if (import.meta.main) {
  const license = new URL("../LICENSE", import.meta.url).pathname;
  for (const [word, count] of await topWords(license, 5)) {
    console.log(`${String(count).padStart(4)} ${word}`);
  }
  const { output, codes } = await pipeline(license, ["yes", "no end"], ["head", "-n", "1"]);
  console.log(`yes ended with ${codes[0]}, head with ${codes[1]}: ${output.trim()}`);
}
