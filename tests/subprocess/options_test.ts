import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { closeSync, openSync } from "node:fs";
import {
  type Args,
  CREATE_NEW_CONSOLE,
  PIPE,
  Popen,
  type PopenOptions,
  run,
  type RunOptions,
  runSync,
  STARTUPINFO,
  STDOUT,
} from "@batteries/concurrent/subprocess";

const linux = Deno.build.os === "linux";
const root = linux && Deno.uid() === 0;
const directory = Deno.realPathSync(Deno.makeTempDirSync());
addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));

/** The output of a child, from run and runSync, which must agree. */
async function output(args: Args, options: RunOptions = {}): Promise<string> {
  const all: RunOptions = { stdout: PIPE, text: true, check: true, ...options };
  const [one, two] = [(await run(args, all)).stdout, runSync(args, all).stdout];
  assertEquals(one, two);
  return one as string;
}

/**
 * Written by another program: the descriptor of a file that is written here may be inherited, for a moment, by a child that another test
 * of this process starts, and nobody can run the file as long as somebody writes it ("Text file busy").
 */
function script(name: string, text: string, mode = 0o755): string {
  const path = `${directory}/${name}`;
  const write = 'printf %s "$2" > "$1" && chmod "$3" "$1"';
  const args = ["-c", write, "sh", path, text, mode.toString(8)];
  assert(new Deno.Command("sh", { args }).outputSync().success);
  return path;
}

const hello = script("hello", "#!/bin/sh\necho hello $0\n");
script("plain", "#!/bin/sh\n", 0o644);
script("orphan", "#!/nonexistent/interpreter\n");

/** The error of Popen, with and without the wrapper, of run and of runSync: one class, and words and path in each. */
async function refused<E extends Error>(
  args: Args,
  options: PopenOptions,
  errorClass: abstract new (message: string) => E,
  words: string,
  path?: string,
): Promise<void> {
  const found: E[] = [
    assertThrows(() => new Popen(args, options), errorClass, words),
    assertThrows(
      () => new Popen(args, { ...options, stdout: PIPE, stderr: STDOUT }),
      errorClass,
      words,
    ),
    await assertRejects(() => run(args, options), errorClass, words),
    await assertRejects(
      () => run(args, { ...options, timeout: 60_000, input: "" }),
      errorClass,
      words,
    ),
    assertThrows(() => runSync(args, options), errorClass, words),
    assertThrows(() => runSync(args, { ...options, timeout: 60_000 }), errorClass, words),
  ];
  for (const error of found) {
    assertEquals((error as { path?: string }).path, path);
    assert(!error.message.endsWith("."));
  }
}

Deno.test("A missing program is NotFound, with its path", async () => {
  await refused(
    ["nonexistent-program"],
    {},
    Deno.errors.NotFound,
    "no such program in PATH",
    "nonexistent-program",
  );
  await refused(
    ["/nonexistent/program", "x"],
    {},
    Deno.errors.NotFound,
    "no such file",
    "/nonexistent/program",
  );
  await refused(["./hello"], { cwd: "/" }, Deno.errors.NotFound, "no such file", "./hello");
  await refused(
    ["true"],
    { executable: "/nonexistent/program" },
    Deno.errors.NotFound,
    "no such",
    "/nonexistent/program",
  );
  await refused(
    ["hello"],
    { env: { PATH: "/nonexistent" } },
    Deno.errors.NotFound,
    "PATH",
    "hello",
  );
});

Deno.test("A missing interpreter is NotFound and says so", async () => {
  const path = `${directory}/orphan`;
  const error = await assertRejects(() => run([path]), Deno.errors.NotFound, "interpreter");
  assertEquals((error as { path?: string }).path, path);
});

Deno.test("A file that may not be executed, and a directory, are PermissionDenied", async () => {
  await refused(
    [`${directory}/plain`],
    {},
    Deno.errors.PermissionDenied,
    "may not be executed",
    `${directory}/plain`,
  );
  await refused([directory], {}, Deno.errors.PermissionDenied, "may not be executed", directory);
  await refused(
    ["plain"],
    { env: { PATH: directory } },
    Deno.errors.PermissionDenied,
    "may not be executed",
    "plain",
  );
});

Deno.test("A bad working directory is told from a missing program, by its own path", async () => {
  await refused(
    ["true"],
    { cwd: "/nonexistent" },
    Deno.errors.NotFound,
    "working directory",
    "/nonexistent",
  );
  await refused(
    ["nonexistent-program"],
    { cwd: "/nonexistent" },
    Deno.errors.NotFound,
    "working directory",
    "/nonexistent",
  );
  await refused(["true"], { cwd: hello }, Deno.errors.NotADirectory, "working directory", hello);
});

Deno.test("An argument list that is too long says so", () => {
  assertThrows(
    () => new Popen(["true", "x".repeat(10_000_000)]),
    Error,
    "longer than the system takes",
  );
});

Deno.test("Empty commands, NUL characters and non-strings are refused", async () => {
  for (const args of [[], "", [""], ["true", "a\0b"], "tr\0ue"]) {
    await refused(args, {}, RangeError, "Cannot call");
  }
  for (const args of [5, null, undefined, {}, ["true", 5], [null], [["true"]]]) {
    await refused(args as unknown as Args, {}, TypeError, "Cannot call");
  }
  await refused(["true"], { cwd: "a\0b" }, RangeError, "NUL");
  await refused(["true"], { executable: "" }, RangeError, "empty");
});

Deno.test("An empty argument, blanks, quotes and shell characters go to the program as they are", async () => {
  const words = ["", " ", "a b", '"', "'", "$HOME", "`id`", "*", "\\", "é\n", ";", "-x"];
  assertEquals(await output(["printf", "%s|", ...words]), words.join("|") + "|");
  assertEquals(
    await output(["printf", "%s|", ...words], { stderr: STDOUT }),
    words.join("|") + "|",
  );
});

Deno.test("A program whose name looks like an option is a program", async () => {
  script("-x", "#!/bin/sh\necho dash\n");
  const env = { PATH: `${directory}:/usr/bin:/bin` };
  assertEquals(await output(["-x"], { env }), "dash\n");
  assertEquals(await output(["-x"], { env, stderr: STDOUT }), "dash\n");
});

Deno.test("A string is the program alone: it is not split", async () => {
  await refused("echo hello", {}, Deno.errors.NotFound, "no such program", "echo hello");
  assertEquals(await output(hello), `hello ${hello}\n`);
});

Deno.test("File URLs become paths, others are refused", async () => {
  assertEquals(await output(new URL(`file://${hello}`)), `hello ${hello}\n`);
  assertEquals(
    await output(["cat", new URL("file:///dev/null")], { cwd: new URL(`file://${directory}`) }),
    "",
  );
  script("a b%é", "#!/bin/sh\necho odd\n");
  const odd = new URL("file:///");
  odd.pathname = `${directory}/a b%25é`;
  assertEquals(await output([odd]), "odd\n");
  await refused(new URL("https://example.org/x"), {}, TypeError, "file URL");
});

Deno.test("shell: a command line, the shell's own arguments, and another shell", async () => {
  assertEquals(await output("echo a && echo $((1+1))", { shell: true }), "a\n2\n");
  // Python's rule: further items are the shell's arguments, never joined into the line.
  assertEquals(
    await output(['echo "$0:$1"', "zero", "$(echo no)"], { shell: true }),
    "zero:$(echo no)\n",
  );
  assertEquals(
    await output("echo $BASH_VERSION | head -c 1 | wc -c", { shell: "/bin/bash" }),
    "1\n",
  );
  assertEquals(await output("echo $0", { shell: true, executable: "/bin/bash" }), "/bin/bash\n");
  assertEquals(await output(["echo $0", "name"], { shell: true, stderr: STDOUT }), "name\n");
  await refused("true", { shell: 5 as unknown as boolean }, TypeError, "shell");
});

Deno.test("executable is started under the first argument's name, a relative one from cwd", async () => {
  const name = "tr '\\0' ' ' </proc/$$/cmdline";
  assertEquals(
    await output(["any name", "-c", "echo $0"], { executable: "/bin/sh" }),
    "any name\n",
  );
  if (linux) {
    assertStringIncludes(
      await output(["any name", "-c", name], { executable: "/bin/sh" }),
      "any name -c",
    );
  }
  assertEquals(await output(["./hello"], { cwd: directory }), `hello ${hello}\n`);
  assertEquals(
    (await run(["x"], { cwd: directory, executable: "./hello", stdout: PIPE, text: true }))
      .returncode,
    0,
  );
});

Deno.test("cwd is where the child starts", async () => {
  assertEquals(await output(["pwd", "-P"], { cwd: directory }), `${directory}\n`);
  assertEquals(await output(["pwd", "-P"], { cwd: directory, stderr: STDOUT }), `${directory}\n`);
});

Deno.test("env is the whole environment, through the wrapper too; absent: this process's", async () => {
  assertEquals(await output(["env"], { env: { fruit: "orange", empty: "" } }).then(sorted), [
    "empty=",
    "fruit=orange",
  ]);
  assertEquals(await output(["env"], { env: {} }), "");
  assertEquals(await output(["env"], { env: { A: "1" }, stderr: STDOUT }), "A=1\n");
  assertEquals(await output(["hello"], { env: { PATH: directory } }), `hello ${hello}\n`);
  assertStringIncludes(await output(["env"]), "PATH=");
  const value = "a=b\n$x 'é'";
  assertEquals(await output(["sh", "-c", 'printf %s "$V"'], { env: { V: value } }), value);
});

function sorted(text: string): string[] {
  return text.trimEnd().split("\n").sort();
}

Deno.test("env refuses impossible names and values", async () => {
  const impossible: Record<string, string>[] = [{ "a=b": "c" }, { "": "c" }, { "a\0b": "c" }, {
    a: "b\0c",
  }];
  for (const env of impossible) {
    await refused(["true"], { env }, RangeError, "Cannot call");
  }
  await refused(
    ["true"],
    { env: { a: 5 } as unknown as Record<string, string> },
    TypeError,
    "env.a",
  );
  await refused(["true"], { env: "a=b" as unknown as Record<string, string> }, TypeError, "env");
});

Deno.test("umask", async () => {
  assertEquals(await output("umask", { shell: true, umask: 0o27 }), "0027\n");
  const path = `${directory}/masked`;
  await run(["touch", path], { umask: 0o077 });
  assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
  assertEquals(
    await output("umask", { shell: true, umask: -1 }),
    await output("umask", { shell: true }),
  );
  await refused(["true"], { umask: 0o1000 }, RangeError, "umask");
  await refused(["true"], { umask: 1.5 }, TypeError, "umask");
});

Deno.test("startNewSession", { ignore: !linux }, async () => {
  const session =
    "read -r pid name state parent group session rest </proc/self/stat; echo $pid $group $session";
  const [pid, group, leader] =
    (await run(session, { shell: true, startNewSession: true, stdout: PIPE, text: true }))
      .stdout.trim().split(" ");
  assertEquals([group, leader], [pid, pid]);
  const sync = runSync(session, { shell: true, startNewSession: true, stdout: PIPE, text: true })
    .stdout.trim().split(" ");
  assertEquals([sync[1], sync[2]], [sync[0], sync[0]]);
});

Deno.test("user, group and extraGroups, by number and by name", { ignore: !root }, async () => {
  // Where nobody but root may enter the project's folder, others could not start there.
  const shell: RunOptions = { shell: true, cwd: "/" };
  assertEquals(await output("id -u; id -g", { ...shell, user: 1, group: 2 }), "1\n2\n");
  assertEquals(await output("id -u; id -g", { ...shell, user: "daemon", group: "bin" }), "1\n2\n");
  assertEquals(await output("id -G", { ...shell, group: 2, extraGroups: [3, "adm"] }), "2 3 4\n");
  assertEquals(await output("id -G", { ...shell, user: 1, group: 2, extraGroups: [] }), "2\n");
});

Deno.test(
  "A working directory that the child's user may not enter is named",
  { ignore: !root },
  async () => {
    const own = `${directory}/own`;
    Deno.mkdirSync(own, { mode: 0o700 });
    const error = await assertRejects(
      () => run(["true"], { cwd: own, user: 1, group: 2 }),
      Deno.errors.PermissionDenied,
      "may not enter the working directory",
    );
    assert(error.message.includes(own));
  },
);

Deno.test("user, group and extraGroups refuse what is no account", async () => {
  for (const bad of [-1, 2 ** 32, 1.5, "no-such-account", "-u", ""]) {
    await refused(["true"], { user: bad }, RangeError, "user");
    await refused(["true"], { group: bad }, RangeError, "group");
    await refused(["true"], { extraGroups: [bad] }, RangeError, "extraGroups[0]");
  }
  await refused(["true"], { user: true as unknown as string }, TypeError, "user");
  await refused(["true"], { extraGroups: "adm" as unknown as string[] }, TypeError, "extraGroups");
});

Deno.test("A user that this process may not become is PermissionDenied", { ignore: !root }, () => {
  // Root gives up its rights first, so the program that tries is a child of its own.
  const fixture = new URL("../fixtures/subprocess/becomes_root.ts", import.meta.url).pathname;
  const { stdout } = runSync([Deno.execPath(), "run", "-A", fixture], { stdout: PIPE, text: true });
  assertEquals(stdout, "PermissionDenied true\n");
});

Deno.test("passFds: the descriptor is open in the child under its number, only there", {
  ignore: !linux,
}, async () => {
  const path = `${directory}/passed`;
  Deno.writeTextFileSync(path, "passed on");
  for (const extra of [{}, { stderr: STDOUT }, { closeFds: true }] as RunOptions[]) {
    // Each reading moves the position, so each has a descriptor of its own.
    for (const act of [run, runSync]) {
      const own = openSync(path, "r");
      const done = await act(`cat <&${own}`, {
        shell: "/bin/bash",
        passFds: [own],
        stdout: PIPE,
        text: true,
        ...extra,
      });
      assertEquals(done.stdout, "passed on");
      closeSync(own);
    }
  }
  const fd = openSync(path, "r");
  assertEquals(
    await output(`{ cat <&${fd}; } 2>/dev/null || echo closed`, { shell: "/bin/bash" }),
    "closed\n",
  );
  closeSync(fd);
  await refused(["true"], { passFds: [999_987] }, RangeError, "999987");
  await refused(["true"], { passFds: [-1] }, RangeError, "passFds");
  await refused(["true"], { passFds: ["1"] as unknown as number[] }, TypeError, "passFds");
  await refused(["true"], { passFds: [5], closeFds: false }, RangeError, "closeFds");
});

Deno.test(
  "closeFds: true closes what this process has itself inherited",
  { ignore: !linux },
  async () => {
    const fixture =
      new URL("../fixtures/subprocess/lists_descriptors.ts", import.meta.url).pathname;
    const { stdout } = await run(
      `exec ${Deno.execPath()} run -A ${fixture} 7</dev/null 23</dev/null`,
      {
        shell: "/bin/bash",
        stdout: PIPE,
        text: true,
      },
    );
    assertEquals(JSON.parse(stdout), { absent: ["7", "23"], closed: [], merged: [] });
  },
);

Deno.test("What Deno cannot do throws and says what can be done", async () => {
  await refused(["true"], { processGroup: 0 }, Deno.errors.NotSupported, "startNewSession");
  await refused(["true"], { restoreSignals: false }, Deno.errors.NotSupported, "restoreSignals");
  await refused(["true"], { pipesize: 4096 }, Deno.errors.NotSupported, "pipesize");
  await refused(["true"], { processGroup: -1 }, RangeError, "processGroup");
  await refused(["true"], { pipesize: -2 }, RangeError, "pipesize");
  assertEquals(
    await output(["true"], { restoreSignals: true, pipesize: -1, bufsize: 0, closeFds: false }),
    "",
  );
});

Deno.test("restoreSignals: a child has default signal handling", { ignore: !linux }, async () => {
  const status = await output(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]);
  const masks = [...status.matchAll(/:\s+([0-9a-f]+)/g)].map((match) => BigInt(`0x${match[1]}`));
  assertEquals(masks[0], 0n);
  assertEquals(masks[1] & (1n << 12n), 0n); // SIGPIPE
});

Deno.test("bufsize and the flags are checked", async () => {
  await refused(["true"], { bufsize: "orange" as unknown as number }, TypeError, "bufsize");
  for (
    const name of ["text", "universalNewlines", "closeFds", "startNewSession", "restoreSignals"]
  ) {
    await refused(["true"], { [name]: 1 } as PopenOptions, TypeError, name);
  }
});

Deno.test("null is Python's None: as if the option were not there", async () => {
  const none = {
    cwd: null,
    env: null,
    executable: null,
    user: null,
    umask: null,
    encoding: null,
    shell: null,
  };
  assertEquals((await run(["true"], none as unknown as RunOptions)).returncode, 0);
});

Deno.test(
  "The Windows options are refused elsewhere",
  { ignore: Deno.build.os === "windows" },
  async () => {
    await refused(["true"], { startupinfo: new STARTUPINFO() }, RangeError, "Windows");
    await refused(["true"], { creationflags: CREATE_NEW_CONSOLE }, RangeError, "Windows");
    await refused(["true"], { startupinfo: {} as STARTUPINFO }, TypeError, "STARTUPINFO");
    assertEquals(await output(["true"], { creationflags: 0 }), "");
  },
);

Deno.test("STARTUPINFO has Python's fields and defaults", () => {
  assertEquals({ ...new STARTUPINFO() }, {
    dwFlags: 0,
    hStdInput: null,
    hStdOutput: null,
    hStdError: null,
    wShowWindow: 0,
    lpAttributeList: { handle_list: [] },
  });
  const made = new STARTUPINFO({ dwFlags: 1, lpAttributeList: { handle_list: [3] } });
  assertEquals([made.dwFlags, made.lpAttributeList], [1, { handle_list: [3] }]);
});

Deno.test("Popen refuses the options of run, and says where they belong", () => {
  for (const name of ["timeout", "input", "signal"]) {
    assertThrows(() => new Popen(["true"], { [name]: 1 } as PopenOptions), TypeError, "use run");
  }
});
