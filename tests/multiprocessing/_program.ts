/**
 * Runs the programs of `tests/fixtures/multiprocessing/methods.ts`.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { processesWith, waitUntil } from "./_world.ts";

const program = import.meta.resolve("../fixtures/multiprocessing/methods.ts");

/** What the program prints, line by line. It must end well, and nobody of it may be left. */
export async function run(name: string): Promise<{ out: string[]; err: string[] }> {
  const mark = `mark-${crypto.randomUUID()}`;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", program, name, mark],
    env: { NO_COLOR: "1" },
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const [out, err] = [stdout, stderr].map((bytes) => {
    const text = new TextDecoder().decode(bytes);
    return text === "" ? [] : text.trimEnd().split("\n");
  });
  assertEquals(code, 0, err.join("\n"));
  waitUntil(`nobody of ${name} is left`, () => processesWith(mark).length === 0);
  return { out, err };
}
