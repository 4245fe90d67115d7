/**
 * The command `worker`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { NatsAuth, NatsTls } from "./_nats_link.ts";
import { natsWorker, type NatsWorkerOptions } from "./_nats_worker.ts";

const USAGE = `Runs calls that programs submit with NatsExecutor.

Usage: worker --tasks ALIAS=MODULE [options]

  --tasks ALIAS=MODULE     a module whose exported functions may be called, by the name that submitters have for it;
                           a path or a URL; may be given several times. Nothing else is imported
  --servers URL[,URL]      where NATS is (default nats://127.0.0.1:4222)
  --connect-timeout MS     within which the first connection has to stand (default 10000)
  --name NAME              the queue (default "default")
  --isolate KIND           thread (default) or process: what calls run in
  --concurrency N          calls at a time (default: processors of the machine)
  --drain-timeout SECONDS  at SIGTERM, how long running calls may go on before they are given back (default: until they end)
  --no-create              do not make the queue: for accounts that may not
  --lease MS, --max-queued N, --result-ttl MS, --replicas N
                           what the queue is made with, if it is not there
  --user NAME --password-file FILE | --token-file FILE | --creds FILE | --nkey FILE
                           who connects
  --tls, --tls-ca FILE, --tls-cert FILE, --tls-key FILE
                           TLS, and the files for it
  --help                   this

SIGTERM and SIGINT: takes no more calls, finishes those that run, ends. A second one gives them back at once.
Exit code: 0 when it was told to end, 2 for wrong arguments, 3 when it cannot use the server.
`;

/** Wrong arguments. */
class UsageError extends Error {}

/** Runs the command, until it is told to end. Gives the exit code. */
export async function command(args: string[]): Promise<number> {
  const encoder = new TextEncoder();
  const say = (text: string) => Deno.stdout.writeSync(encoder.encode(`${text}\n`));
  const complain = (text: string) => Deno.stderr.writeSync(encoder.encode(`worker: ${text}\n`));
  let asked: Asked;
  try {
    asked = read(args);
  } catch (error) {
    complain(`${(error as Error).message.split("\n")[0]}; worker --help tells more`);
    return 2;
  }
  if (asked.help) {
    say(USAGE.trimEnd());
    return 0;
  }
  // No code of a task runs in this thread. What comes up here is an error of a socket that the client for NATS had for a moment not
  // listened to: it tries again by itself, and the calls go on.
  const onError = (event: ErrorEvent | PromiseRejectionEvent) => {
    event.preventDefault();
    const error: unknown = "reason" in event ? event.reason : event.error;
    complain(`the connection failed: ${error instanceof Error ? error.message : error}`);
  };
  addEventListener("error", onError);
  addEventListener("unhandledrejection", onError);
  let worker: Awaited<ReturnType<typeof natsWorker>>;
  try {
    const onConnection = (connected: boolean) =>
      complain(
        connected
          ? "the server is there again"
          : "the server is lost; it is tried again until it is there, and calls that run go on",
      );
    worker = await natsWorker({ ...asked.options, onConnection });
  } catch (error) {
    const wrong = error instanceof TypeError || error instanceof RangeError;
    complain((error as Error).message);
    return wrong ? 2 : 3;
  }
  const told = untilToldToEnd((again) => {
    void worker.stop({ timeout: again ? 0 : asked.drain });
    return worker.stop();
  });
  // Whoever reads this may send a signal at once.
  say(`${worker.id} takes calls of ${Object.keys(asked.options.tasks).join(", ")}`);
  await told;
  return 0;
}

/** Waits for signals; the first one ends it when `stop` has ended. */
async function untilToldToEnd(stop: (again: boolean) => Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let told = false;
  const onSignal = () => {
    void stop(told).then(resolve);
    told = true;
  };
  const signals = ["SIGTERM", "SIGINT"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  await promise;
  for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
}

interface Asked {
  readonly help: boolean;
  readonly options: NatsWorkerOptions;
  /** Milliseconds. */
  readonly drain: number | undefined;
}

function read(args: string[]): Asked {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      tasks: { type: "string", multiple: true, default: [] },
      servers: text,
      "connect-timeout": text,
      name: text,
      isolate: text,
      concurrency: text,
      "drain-timeout": text,
      "no-create": flag,
      lease: text,
      "max-queued": text,
      "result-ttl": text,
      replicas: text,
      user: text,
      "password-file": text,
      "token-file": text,
      creds: text,
      nkey: text,
      tls: flag,
      "tls-ca": text,
      "tls-cert": text,
      "tls-key": text,
      help: flag,
    },
  });
  if (!values.help && (positionals.length !== 1 || positionals[0] !== "worker")) {
    throw new UsageError(`the command is worker, got ${JSON.stringify(positionals.join(" "))}`);
  }
  if (!values.help && values.tasks.length === 0) throw new UsageError("--tasks is needed");
  const whole = (name: keyof typeof values) => wholeOf(name, values[name] as string | undefined);
  const seconds = values["drain-timeout"];
  if (seconds !== undefined && !(seconds.trim() !== "" && Number(seconds) >= 0)) {
    throw new UsageError(
      `--drain-timeout must be a number of seconds, got ${JSON.stringify(seconds)}`,
    );
  }
  const auth = authOf(values);
  const tls = tlsOf(values);
  const options: NatsWorkerOptions = {
    tasks: Object.fromEntries(values.tasks.map(taskOf)),
    servers: values.servers,
    name: values.name,
    isolate: values.isolate as NatsWorkerOptions["isolate"],
    concurrency: whole("concurrency"),
    create: !values["no-create"],
    connectTimeout: whole("connect-timeout"),
    lease: whole("lease"),
    maxQueued: whole("max-queued"),
    resultTtl: whole("result-ttl"),
    replicas: whole("replicas"),
    auth,
    tls,
  };
  const drain = seconds === undefined ? undefined : Math.round(Number(seconds) * 1000);
  return { help: values.help, options, drain };
}

function wholeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,12}$/.test(text)) {
    throw new UsageError(`--${name} must be a whole number, got ${JSON.stringify(text)}`);
  }
  return Number(text);
}

function taskOf(text: string): [alias: string, url: string] {
  const at = text.indexOf("=");
  if (at < 1 || at === text.length - 1) {
    throw new UsageError(`--tasks must be ALIAS=MODULE, got ${JSON.stringify(text)}`);
  }
  const where = text.slice(at + 1);
  // A drive letter is no scheme.
  if (/^[a-z][a-z0-9+.-]+:/i.test(where)) return [text.slice(0, at), where];
  const base = new URL(`file://${Deno.cwd().replaceAll("%", "%25").replaceAll("\\", "/")}/`);
  const url = new URL(
    where.replaceAll("%", "%25").replaceAll("#", "%23").replaceAll("?", "%3f"),
    base,
  );
  return [text.slice(0, at), url.href];
}

type Values = Record<string, unknown>;

function authOf(values: Values): NatsAuth | undefined {
  const file = (name: string) => {
    const path = values[name] as string | undefined;
    if (path === undefined) return undefined;
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      throw new UsageError(`--${name}: ${(error as Error).message}`);
    }
  };
  const [password, token, creds, nkey] = ["password-file", "token-file", "creds", "nkey"].map(file);
  const user = values.user as string | undefined;
  if ((user === undefined) !== (password === undefined)) {
    throw new UsageError("--user and --password-file go together");
  }
  const given: NatsAuth[] = [];
  if (user !== undefined) given.push({ user, password: password!.trim() });
  if (token !== undefined) given.push({ token: token.trim() });
  if (creds !== undefined) given.push({ creds });
  if (nkey !== undefined) given.push({ nkey: nkey.trim() });
  if (given.length > 1) {
    throw new UsageError("only one of --user, --token-file, --creds and --nkey");
  }
  return given[0];
}

function tlsOf(values: Values): NatsTls | undefined {
  const [caFile, certFile, keyFile] = ["tls-ca", "tls-cert", "tls-key"]
    .map((name) => values[name] as string | undefined);
  if (
    values.tls !== true && caFile === undefined && certFile === undefined && keyFile === undefined
  ) {
    return undefined;
  }
  return { caFile, certFile, keyFile };
}
