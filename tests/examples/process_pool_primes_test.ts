import { assertEquals } from "@std/assert";

const example = new URL("../../examples/process_pool_primes.ts", import.meta.url).href;

async function run(args: string[], input = "") {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", example, ...args],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

Deno.test("process_pool_primes: the numbers of Python's chapter, are what it says they are", async () => {
  assertEquals(await run(["--workers", "2"]), {
    code: 0,
    out: [
      "112272535095293 is prime",
      "112582705942171 is prime",
      "112272535095293 is prime",
      "115280095190773 is prime",
      "115797848077099 is prime",
      "1099726899285419 is not prime: 3306091",
      "",
    ].join("\n"),
    err: "",
  });
});

Deno.test("process_pool_primes: numbers from standard input, agree with a sieve", async () => {
  const numbers = Array.from({ length: 300 }, (_, n) => n);
  const composite = new Set<number>([0, 1]);
  for (let i = 2; i < 300; i++) for (let j = i * 2; j < 300; j += i) composite.add(j);
  const { code, out } = await run([], numbers.join("\n"));
  assertEquals(code, 0);
  const primes = out.split("\n").filter((line) => line.endsWith("is prime")).map(parseFloat);
  assertEquals(primes, numbers.filter((n) => !composite.has(n)));
});

Deno.test("process_pool_primes: what is no number, is refused", async () => {
  for (const bad of ["x", "1.5", "99999999999999999999"]) {
    const { code, err } = await run(["7", bad]);
    assertEquals([code, err], [2, `${bad} is no whole number from 0 to 2^53 - 1\n`]);
  }
});
