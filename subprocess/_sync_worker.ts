/**
 * What runs in the helper thread of a `Sync` call: one child, from start to end, with the event loop that the blocked thread cannot
 * use.
 *
 * {@linkcode serve} is sent to the thread as its own text, so that the thread needs no file and no permission to read one. It
 * must therefore use nothing from outside itself but the runtime's globals; types are gone by then.
 *
 * @module
 */

/** What the helper thread is to do. */
export interface Job {
  readonly command: string;
  readonly options: Deno.CommandOptions;
  readonly input: Uint8Array | undefined;
  /** Milliseconds from the start of the child; `null`: for ever. */
  readonly timeout: number | null;
  /** Commands that end the child's descendants, "PID" standing for its id: on a time-out, and after its end. */
  readonly family: { command: string; expired: string[]; ended: string[] } | undefined;
  /** Word 0 becomes 1 when the answer is there; word 1 is its length in bytes. */
  readonly control: SharedArrayBuffer;
  /** Growable: the answer as JSON, then the output, then the errors. */
  readonly answer: SharedArrayBuffer;
}

/** What it answers. */
export interface Answer {
  readonly status?: { code: number; signal: string | null };
  /** The text of the error that `status` was rejected with. */
  readonly odd?: string;
  readonly expired: boolean;
  /** Why the child could not be started. */
  readonly failure?: { name: string; message: string; code?: string };
  readonly out: number;
  readonly err: number;
}

/** See the module's note. */
export async function serve(job: Job): Promise<void> {
  const gather = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    const reader = stream.getReader({ mode: "byob" });
    const pieces: Uint8Array[] = [];
    const done = (async () => {
      let block = new Uint8Array(65536);
      for (;;) {
        const { value, done } = await reader.read(block);
        if (done) return;
        pieces.push(value.slice());
        block = new Uint8Array(value.buffer);
      }
    })();
    return { pieces, done, cancel: () => reader.cancel() };
  };
  const size = (pieces: Uint8Array[]) => pieces.reduce((sum, piece) => sum + piece.length, 0);
  const reply = (answer: Omit<Answer, "out" | "err">, out: Uint8Array[], err: Uint8Array[]) => {
    const head = new TextEncoder().encode(
      JSON.stringify({ ...answer, out: size(out), err: size(err) }),
    );
    job.answer.grow(head.length + size(out) + size(err));
    const bytes = new Uint8Array(job.answer);
    let at = 0;
    for (const piece of [head, ...out, ...err]) {
      bytes.set(piece, at);
      at += piece.length;
    }
    const control = new Int32Array(job.control);
    control[1] = head.length;
    Atomics.store(control, 0, 1);
    Atomics.notify(control, 0);
  };
  const endFamily = (args: string[], pid: number) =>
    new Deno.Command(job.family!.command, {
      args: args.map((arg) => arg === "PID" ? String(pid) : arg),
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();

  try {
    const child = new Deno.Command(job.command, job.options).spawn();
    const out = job.options.stdout === "piped" ? gather(child.stdout) : undefined;
    const err = job.options.stderr === "piped" ? gather(child.stderr) : undefined;
    const exit: Promise<{ status?: Answer["status"]; odd?: string }> = child.status.then(
      ({ code, signal }) => ({ status: { code, signal } }),
      (error) => ({ odd: String(error) }),
    );
    const say = async () => {
      if (job.input === undefined) return;
      const writer = child.stdin.getWriter();
      try {
        await writer.write(job.input);
        await writer.close();
      } catch {
        // The child ends or closes its input early: its return code tells.
      }
    };
    const said = say();
    const cleaned = job.family === undefined
      ? undefined
      : exit.then(() => endFamily(job.family!.ended, child.pid));
    const all = Promise.all([exit, said, out?.done, err?.done]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let expired = false;
    if (job.timeout === null) {
      await all;
    } else {
      const deadline = performance.now() + job.timeout;
      await Promise.race([
        all,
        new Promise<void>((resolve) => {
          const tick = () => {
            const left = deadline - performance.now();
            if (left > 0) {
              timer = setTimeout(tick, Math.min(left, 2 ** 31 - 1));
              return;
            }
            expired = true;
            resolve();
          };
          timer = setTimeout(tick, Math.min(Math.max(job.timeout!, 0), 2 ** 31 - 1));
        }),
      ]);
      clearTimeout(timer);
    }
    if (expired) {
      if (job.family !== undefined) await endFamily(job.family.expired, child.pid);
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await exit;
      await Promise.all([out?.cancel(), err?.cancel()]);
    }
    await cleaned;
    reply({ ...await exit, expired }, out?.pieces ?? [], err?.pieces ?? []);
  } catch (error) {
    const { name, message, code } = error as Error & { code?: string };
    reply({ failure: { name, message, code }, expired: false }, [], []);
  }
}
