// What a shell script does in a line, done without a shell: the idioms of the section "Replacing Older Functions with the subprocess
// Module" of CPython's page. Run it: deno run --allow-run examples/subprocess_idioms.ts
import {
  call,
  checkOutput,
  DEVNULL,
  getoutput,
  getstatusoutput,
  lines,
  PIPE,
  Popen,
  run,
} from "@batteries/concurrent/subprocess";

/** Each idiom, by the line that it replaces. */
export const idioms: Record<string, () => Promise<unknown>> = {
  // A command's output in a variable.
  "output=$(mycmd myarg)": () => checkOutput(["echo", "hello"], { text: true }),

  // A pipeline: the two are joined in the kernel, and the first learns when the second ends.
  "output=$(dmesg | grep hda)": async () => {
    await using left = new Popen(["printf", "hdb\nhda1\nhda2\n"], { stdout: PIPE });
    await using right = new Popen(["grep", "hda"], {
      stdin: left.stdout,
      stdout: PIPE,
      text: true,
    });
    const [output] = await right.communicate();
    return output;
  },

  // The same with a shell, for a line that is fixed and trusted.
  "output=`dmesg | grep hda`": () =>
    checkOutput("printf 'hdb\\nhda1\\n' | grep hda", { shell: true, text: true }),

  // A command's return code.
  'sts = os.system("mycmd" + " myarg")': () => call("exit 3", { shell: true }),

  // What is more realistic: the signal is told from the exit status.
  "more of os.system": async () => {
    const code = await call("kill -TERM $$", { shell: true });
    return code < 0 ? `Child was terminated by signal ${-code}` : `Child returned ${code}`;
  },

  // os.spawnlp(os.P_NOWAIT, …): start it, go on, and have its id.
  "P_NOWAIT": async () => {
    await using child = new Popen(["true"]);
    return child.pid > 0;
  },

  // os.spawnlp(os.P_WAIT, …): start it and wait.
  "P_WAIT": () => call(["false"]),

  // os.spawnvp(os.P_NOWAIT, path, args): the arguments as an array.
  "P_NOWAIT with a vector": async () => {
    await using child = new Popen(["test", "-d", "/"]);
    return await child.wait();
  },

  // os.spawnlpe(…, env): a given environment.
  "P_NOWAIT with an environment": () =>
    checkOutput(["sh", "-c", "echo $FRUIT"], {
      env: { FRUIT: "pear", PATH: "/usr/bin:/bin" },
      text: true,
    }),

  // (child_stdin, child_stdout) = os.popen2(cmd)
  "popen2": async () => {
    await using child = new Popen(["sort"], { stdin: PIPE, stdout: PIPE, text: true });
    return (await child.communicate({ input: "b\na\n" }))[0];
  },

  // (child_stdin, child_stdout, child_stderr) = os.popen3(cmd)
  "popen3": async () => {
    await using child = new Popen("cat; echo oops >&2", {
      shell: true,
      stdin: PIPE,
      stdout: PIPE,
      stderr: PIPE,
      text: true,
    });
    return await child.communicate({ input: "in" });
  },

  // pipe = os.popen(cmd, 'w'); …; rc = pipe.close(): the return code is the process's.
  "popen for writing": async () => {
    await using child = new Popen("read line; exit ${#line}", { shell: true, stdin: PIPE });
    await child.communicate({ input: "four\n" });
    return child.returncode;
  },

  // Lines as they come.
  "mycmd | while read line": async () => {
    await using child = new Popen(["printf", "1\n2\n3\n"], { stdout: PIPE });
    let sum = 0;
    for await (const line of lines(child.stdout)) sum += Number(line);
    return sum;
  },

  // Output to nowhere, the return code as the answer.
  "mycmd >/dev/null 2>&1": async () =>
    (await run(["grep", "root", "/etc/passwd"], { stdout: DEVNULL, stderr: DEVNULL })).returncode,

  // The legacy functions.
  "commands.getoutput": () => getoutput("echo out; echo err >&2"),
  "commands.getstatusoutput": () => getstatusoutput("echo no; exit 2"),
};

if (import.meta.main) {
  for (const [line, idiom] of Object.entries(idioms)) {
    console.log(`${line.padEnd(40)} ${JSON.stringify(await idiom())}`);
  }
}
