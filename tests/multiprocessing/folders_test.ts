/** Folders for sockets: what `_folder.ts` promises. */
import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";

const program = import.meta.resolve("../fixtures/multiprocessing/folders.ts");

async function run(
  tmpdir: string,
  act = "",
): Promise<{ out: string; err: string; signal: string | null }> {
  const { stdout, stderr, signal } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", program, act],
    env: { TMPDIR: tmpdir, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { out, err, signal };
}

/** A folder for temporary files of this test's own. */
async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const inside = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test("a folder for sockets: is in TMPDIR, and gone at the end of the program", async () => {
  await withFolder(async (folder) => {
    const { out, err } = await run(folder);
    assertEquals(err, "");
    assertStringIncludes(out, `0 ${folder}/batteries-listener-`);
    assertEquals(inside(folder), []);
    await run(folder, "exit");
    assertEquals(inside(folder), []);
  });
});

Deno.test("a folder for sockets: where TMPDIR is missing, no folder, or too long for a socket, is elsewhere", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/file`;
    await Deno.writeTextFile(file, "");
    const long = `${folder}/${"long".repeat(30)}`;
    await Deno.mkdir(long);
    for (const tmpdir of [`${folder}/missing`, file, long]) {
      const { out, err } = await run(tmpdir);
      assertEquals(err, "");
      assert(out.startsWith("0 ") && out.endsWith(" 1\n"), out);
      assertFalse(out.includes(tmpdir), out);
      assertEquals(inside(long), []);
    }
  });
});

Deno.test("a folder for sockets: of a program that was killed, is removed by the next one", async () => {
  await withFolder(async (folder) => {
    const { signal } = await run(folder, "die");
    assertEquals(signal, "SIGKILL");
    for (const kind of ["listener", "manager"]) {
      assert(inside(folder).some((name) => name.startsWith(`batteries-${kind}-`)));
    }
    await Deno.mkdir(`${folder}/batteries-other`);
    const { err } = await run(folder);
    assertEquals([err, inside(folder)], ["", ["batteries-other"]]);
  });
});

/** In a folder's name: that process as it is now; with `start`, as one that had its number before. */
async function markOf(pid: number, start?: number): Promise<string> {
  const space = (await Deno.stat("/proc/self/ns/pid")).ino!;
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  start ??= Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  return [space, pid, start].map((number) => number.toString(36)).join(".");
}

Deno.test("a folder for sockets: of a program that lives, or whose process nobody knows, stays", async () => {
  await withFolder(async (folder) => {
    // Of this very process, as another program finds it; of a process in another space of numbers.
    const space = (await Deno.stat("/proc/self/ns/pid")).ino!;
    const mine = `batteries-mp-${await markOf(Deno.pid)}-1`;
    const unsure = `batteries-mp-${space.toString(36)}.${Deno.pid.toString(36)}.-1`;
    const strange = `batteries-mp-${(space + 1).toString(36)}.${(4_000_000).toString(36)}.1-1`;
    const ended = `batteries-mp-${space.toString(36)}.${(4_194_305).toString(36)}.1-1`;
    for (const name of [mine, unsure, strange, ended]) await Deno.mkdir(`${folder}/${name}`);
    await run(folder);
    assertEquals(inside(folder).sort(), [mine, unsure, strange].sort());
  });
});

Deno.test("a folder for sockets: of a program whose number another has now, is removed", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/batteries-mp-${await markOf(Deno.pid, 1)}-1`);
    await run(folder);
    assertEquals(inside(folder), []);
  });
});

Deno.test("a folder for sockets: of a program that was killed, and that nobody has asked how it ended, is removed", async () => {
  await withFolder(async (folder) => {
    // It never asks for its child, as some first processes of containers.
    const careless = new Deno.Command("/bin/sh", {
      args: ["-c", "sleep 1000 & echo $!; exec sleep 1000"],
      stdout: "piped",
    }).spawn();
    const reader = careless.stdout.getReader();
    const pid = Number(new TextDecoder().decode((await reader.read()).value));
    await Deno.mkdir(`${folder}/batteries-mp-${await markOf(pid)}-1`);
    Deno.kill(pid, "SIGKILL");
    while (!(await Deno.readTextFile(`/proc/${pid}/stat`)).includes(") Z ")) {
      // A moment until it is one.
    }
    await run(folder);
    assertEquals(inside(folder), []);
    careless.kill("SIGKILL");
    await careless.status;
    await reader.cancel();
  });
});
