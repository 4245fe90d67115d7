import { assertEquals } from "@std/assert";
import { type Ended, run } from "./_program.ts";

const ROOT = new URL("../../", import.meta.url);

const program = (origin: string) => `
import { Barrier, currentThread, Local, Thread, Timer } from "${origin}/threading/mod.ts";

export function meet(barrier: Barrier, name: string): void {
  barrier.waitSync();
  console.log(name, currentThread().name);
}

export class Nesting extends Thread {
  barrier = new Barrier(2);
  override run(): void {
    const nested = new Thread({ target: meet, args: [this.barrier, "nested"], name: "inner" });
    nested.start();
    this.barrier.waitSync();
    nested.joinSync();
  }
}

if (import.meta.main) {
  const nesting = new Nesting();
  nesting.start();
  nesting.joinSync();
  const timer = new Timer(1, meet, { args: [new Barrier(1), "timer"] });
  timer.name = "late";
  timer.start();
  await timer.join();
}
`;

/** Runs a program with a server that has the sources of this package, as a registry would, and the program as `/main.ts`. */
async function overHttp(
  how: (origin: string, main: string, folder: string) => Promise<Ended>,
): Promise<Ended> {
  let main = "";
  const folder = await Deno.makeTempDir();
  const server = Deno.serve({ port: 0, hostname: "localhost", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const headers = { "content-type": "application/typescript" };
    if (pathname === "/main.ts") return new Response(main, { headers });
    try {
      return new Response(await Deno.readTextFile(new URL(`.${pathname}`, ROOT)), { headers });
    } catch {
      return new Response("There is no such module", { status: 404 });
    }
  });
  try {
    const origin = `http://localhost:${server.addr.port}`;
    main = program(origin);
    return await how(origin, main, folder);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

const GOOD: Ended = { code: 0, signal: null, out: "nested inner\ntimer late\n", err: "" };

function flags(origin: string, ...more: string[]): string[] {
  return [
    `--allow-import=${new URL(origin).host}`,
    "--no-config",
    "--no-prompt",
    "--quiet",
    ...more,
  ];
}

Deno.test("http: a program and the library from a server need no permission but to import them", async () => {
  const ended = await overHttp((origin, _main, folder) =>
    run(`${origin}/main.ts`, { flags: flags(origin), env: { DENO_DIR: `${folder}/cache` } })
  );
  assertEquals(ended, GOOD);
});

Deno.test("http: a local program with the library from a server needs to read its own modules only", async () => {
  const read = await overHttp(async (origin, main, folder) => {
    await Deno.mkdir(`${folder}/app`);
    await Deno.writeTextFile(`${folder}/app/main.ts`, main);
    return await run(`file://${folder}/app/main.ts`, {
      flags: flags(origin, `--allow-read=${folder}/app`),
      env: { DENO_DIR: `${folder}/cache` },
    });
  });
  assertEquals(read, GOOD);
});

Deno.test("http: a local program that may not be read gets the error that names the flag", async () => {
  const { code, out, err } = await overHttp(async (origin, main, folder) => {
    await Deno.writeTextFile(`${folder}/main.ts`, main);
    return await run(`file://${folder}/main.ts`, {
      flags: flags(origin),
      env: { DENO_DIR: `${folder}/cache` },
    });
  });
  assertEquals([code, out], [1, ""]);
  assertEquals(/NotCapable: Cannot start a thread: .*main\.ts.*--allow-read/.test(err), true, err);
});
