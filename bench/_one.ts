/**
 * Runs one benchmark and writes its figures to a file: what main.ts starts in a fresh process for each.
 *
 * @module
 */
const [module, result] = Deno.args;
const { run } = await import(module);
Deno.writeTextFileSync(result, JSON.stringify(await run()));
