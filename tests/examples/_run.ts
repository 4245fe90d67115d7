/**
 * Running an example as its users do.
 *
 * @module
 */

/** What a program did. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs an example with the flags of `deno run` that its head names. */
export async function runExample(name: string, ...args: string[]): Promise<Ran> {
  const url = new URL(`../../examples/${name}.ts`, import.meta.url);
  const flags = Deno.readTextFileSync(url).match(/ deno run (.*)examples\/(\w+)\.ts/);
  if (flags === null || flags[2] !== name) throw new Error(`${name}.ts does not say how to run it`);
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...flags[1].trim().split(" "), url.href, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** The lines of an example that went well and said nothing on standard error. */
export async function linesOf(name: string, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runExample(name, ...args);
  if (code !== 0 || stderr !== "") throw new Error(`${name}.ts ended with ${code}: ${stderr}`);
  return stdout.trimEnd().split("\n");
}

/** What the system's own program says on standard output. */
export async function outputOf(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args }).output();
  return new TextDecoder().decode(stdout);
}
