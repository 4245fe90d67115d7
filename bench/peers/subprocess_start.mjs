/**
 * Starting a child with an npm package: milliseconds for each of many, on one line. `subprocess_start.mjs execa true`. Runs in Node,
 * from a folder that has the package.
 */
const [name, ...command] = process.argv.slice(2);
const START = { execa: "execa", tinyexec: "x" };
const { [START[name]]: start } = await import(name);
const [file, ...args] = command;
const act = () => start(file, args);

const STARTS = 200;
for (let i = 0; i < 20; i++) await act();
const begin = performance.now();
for (let i = 0; i < STARTS; i++) await act();
console.log((performance.now() - begin) / STARTS);
