/** The worker as a program: what it says, what it may do, and what it makes of messages that nobody should have sent. */
import { assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { RuntimeError } from "@batteries/concurrent/futures";
import { UnknownTaskError } from "@batteries/concurrent/nats";
import { connect } from "npm:@nats-io/transport-node@3.4.0";
import { encode } from "../../threading/_core/mod.ts";
import { sealAway, sealCall } from "../../futures/_nats_wire.ts";
import { echo, endsItsThread, spinFor, square, sum, untilThere } from "../fixtures/nats/tasks.ts";
import {
  executorFor,
  held,
  Server,
  TASKS,
  test,
  until,
  untilEmpty,
  WorkerProcess,
} from "./_cluster.ts";

const servers = "nats://127.0.0.1:1";

Deno.test("nats: the command worker, says what is wrong, and ends with 2 or 3", async () => {
  const asks: [string[], number, RegExp][] = [
    [["--concurrency", "0"], 2, /concurrency must be an integer of at least 1, got 0/],
    [["--isolate", "none"], 2, /isolate must be "thread" or "process", got "none"/],
    [["--name", "a b"], 2, /name must be 1 to 32/],
    [["--tasks", "noequals"], 2, /--tasks must be ALIAS=MODULE, got "noequals"/],
    [["--frobnicate"], 2, /frobnicate.*worker --help tells more/],
    [["--user", "me"], 2, /--user and --password-file go together/],
    [["--creds", "/nowhere/creds"], 2, /--creds: .*nowhere/],
    [["--drain-timeout", "soon"], 2, /--drain-timeout must be a number of seconds, got "soon"/],
  ];
  for (const [args, code, text] of asks) {
    const ended = await WorkerProcess.fail({ servers, args });
    assertEquals([args, ended.code, ended.stdout], [args, code, ""]);
    assertMatch(ended.stderr, text);
  }
  const help = await WorkerProcess.fail({ servers, args: ["--help"] });
  assertEquals([help.code, help.stderr], [0, ""]);
  assertMatch(help.stdout, /--tasks ALIAS=MODULE/);
});

test("a worker in processes, runs calls there, and a call that ends its process is given up", async () => {
  await using server = await Server.start();
  await using worker = await WorkerProcess.start({
    servers: server.url,
    args: ["--isolate", "process"],
  });
  await using executor = executorFor(server.url, { maxWorkerLosses: 1 });
  const folder = Deno.makeTempDirSync({ prefix: "nats-worker-" });
  try {
    Deno.writeTextFileSync(`${folder}/gate`, "");
    const pid = await executor.submit(untilThere, `${folder}/marks`, `${folder}/gate`);
    assertEquals(pid === worker.pid, false);
    const lost = executor.submit(endsItsThread, `${folder}/ends`);
    assertMatch((await lost.exception())!.message, /endsItsThread was given to 2 workers/);
    assertEquals(await executor.submit(square, 5), 25);
    const slow = executor.with({ timeout: 100 }).submit(untilThere, `${folder}/x`, `${folder}/y`);
    assertEquals((await slow.exception())?.name, "TimeoutError");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

test("a worker, needs no more permissions than the network and its tasks to read", async () => {
  await using server = await Server.start();
  const here = new URL("../../", import.meta.url).pathname;
  await using _worker = await WorkerProcess.start({
    servers: server.url,
    permissions: [`--allow-net=${new URL(server.url).host}`, `--allow-read=${here}`],
  });
  await using executor = executorFor(server.url);
  assertEquals(await executor.submit(square, 5), 25);
  assertEquals(await executor.submit(sum, new Uint8Array(2_000_000).fill(1)), 2_000_000);
  const error = await executor.submit(untilThere, "/tmp/x", "/tmp/y").exception();
  assertMatch(error!.message, /--allow-write/);
});

test("hostile messages, run nothing, get UnknownTaskError or no answer, and the worker goes on", async () => {
  await using server = await Server.start();
  await using _worker = await WorkerProcess.start({ servers: server.url });
  await using executor = executorFor(server.url);
  await executor.connect();
  const nc = await connect({ servers: server.url });
  const results = new Map<string, Uint8Array>();
  nc.subscribe("batteries.default.out.>", {
    callback: (_error, msg) =>
      void results.set(msg.subject.split(".").slice(3).join("."), msg.data),
  });
  const args = encode([1], "submit", encode);
  const names: [alias: string, path: string[]][] = [
    ["__proto__", ["square"]],
    ["constructor", ["square"]],
    ["hasOwnProperty", ["square"]],
    ["file:///etc/passwd", ["x"]],
    ["data:text/javascript,export function x() {}", ["x"]],
    ["https://example.com/x.ts", ["x"]],
    ["npm:left-pad", ["default"]],
    ["../../tasks", ["x"]],
    ["a".repeat(10_000), ["x"]],
    ["tasks", ["__proto__"]],
    ["tasks", ["constructor"]],
    ["tasks", ["toString"]],
    ["tasks", ["square", "call"]],
    ["tasks", ["square", "constructor"]],
    ["tasks", ["Point", "constructor"]],
    ["tasks", ["notAFunction"]],
    ["tasks", ["nothing"]],
    ["tasks", ["x".repeat(250)]],
  ];
  const call = { named: false, chunk: 0, timeout: undefined, losses: 3 };
  names.forEach(([alias, path], i) => {
    nc.publish(
      "batteries.default.task",
      sealCall({ ...call, key: `evil.${i}`, alias, path }, args),
    );
  });
  nc.publish(
    "batteries.default.task",
    sealCall({ ...call, key: "evil.100", alias: "tasks", path: ["square"], named: true }, args),
  );
  await until("every one has a result", () => results.size === names.length + 1);
  const text = new TextDecoder();
  for (const [key, data] of results) {
    assertMatch(text.decode(data), /UnknownTaskError/, key);
  }
  // Bytes that are no call, or say that they are elsewhere: nobody gets an answer, and they leave the queue.
  const whole = sealCall({ ...call, key: "evil.200", alias: "tasks", path: ["square"] }, args);
  const broken = [
    new Uint8Array(0),
    new Uint8Array([255, 255, 255]),
    new Uint8Array(100),
    whole.subarray(0, 20),
    sealAway("nowhere"),
    sealAway("../../x"),
    new TextEncoder().encode("GET / HTTP/1.1"),
    sealCall({ ...call, key: "evil.201.> ", alias: "tasks", path: ["square"] }, args),
    sealCall({ ...call, key: "evil", alias: "tasks", path: ["square"] }, args),
    sealCall({ ...call, key: "evil.202", alias: "tasks", path: [] }, args),
    sealCall({ ...call, key: "evil.204", alias: "tasks", path: ["Point", "prototype"] }, args),
    sealCall({ ...call, key: "evil.205", alias: "tasks", path: ["a", "b", "c"] }, args),
    sealCall({ ...call, key: "evil.203", alias: "tasks", path: ["square"], chunk: -1 }, args),
  ];
  for (const bytes of broken) nc.publish("batteries.default.task", bytes);
  // Arguments that are none: an error of that call.
  for (const [i, bytes] of [[1], [99, 1, 2], [12, 1, 2, 3], [11, 0]].entries()) {
    const message = sealCall(
      { ...call, key: `evil.${300 + i}`, alias: "tasks", path: ["square"] },
      new Uint8Array(bytes),
    );
    nc.publish("batteries.default.task", message);
  }
  await until("those have a result", () => results.size === names.length + 5);
  assertEquals(await executor.submit(square, 9), 81);
  await until("the queue is empty", async () => (await held(server.url)).tasks === 0);
  assertEquals(results.size, names.length + 6);
  await nc.close();
});

test("a submitter, is not misled by results that are none", async () => {
  await using server = await Server.start();
  await using executor = executorFor(server.url);
  await executor.connect();
  const nc = await connect({ servers: server.url });
  const keys: string[] = [];
  nc.subscribe("batteries.default.task", {
    callback: (_error, msg) => void keys.push(msg.headers!.get("Nats-Msg-Id")),
  });
  await nc.flush();
  const futures = Array.from({ length: 5 }, (_, n) => executor.submit(square, n));
  await until("they are there", () => keys.length === 5);
  const bad = [[], [1, 1], [9, 9, 9], [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 12, 1], [
    1,
    3,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    255,
    255,
    255,
    255,
  ]];
  keys.forEach((key, i) => nc.publish(`batteries.default.res.${key}`, new Uint8Array(bad[i])));
  for (const future of futures) {
    assertEquals((await future.exception({ timeout: 30_000 }))?.name, "PicklingError");
  }
  await nc.close();
});

test("a worker that loses the server, says so once, and once that it is there again", async () => {
  await using server = await Server.start();
  await using worker = await WorkerProcess.start({ servers: server.url });
  await using executor = executorFor(server.url);
  assertEquals(await executor.submit(square, 2), 4);
  for (let n = 3; n < 5; n++) {
    await server.kill();
    await server.start();
    assertEquals(await executor.submit(square, n).result({ timeout: 60_000 }), n * n);
  }
  worker.kill("SIGTERM");
  const { code, stderr } = await worker.ended();
  assertEquals(code, 0);
  const said = stderr.split("\n").filter((line) => line.startsWith("worker: the server "));
  assertEquals(said.map((line) => line.match(/lost|again$/)?.[0]), [
    "lost",
    "again",
    "lost",
    "again",
  ]);
});

/** What a worker's account needs, and no more. */
const WORKER = `publish: [
  "$JS.API.CONSUMER.INFO.batteries_default_tasks.workers",
  "$JS.API.CONSUMER.MSG.NEXT.batteries_default_tasks.workers",
  "$JS.ACK.batteries_default_tasks.workers.>",
  "$JS.API.STREAM.MSG.GET.batteries_default_results",
  "batteries.default.res.>", "batteries.default.note.>"
], subscribe: ["_INBOX.>", "batteries.default.cancel"]`;

/** What a submitter's account needs, and no more. */
const SUBMITTER = `publish: [
  "$JS.API.CONSUMER.INFO.batteries_default_tasks.workers",
  "$JS.API.STREAM.INFO.batteries_default_tasks", "$JS.API.STREAM.INFO.batteries_default_results",
  "$JS.API.STREAM.MSG.GET.batteries_default_tasks", "$JS.API.STREAM.MSG.GET.batteries_default_results",
  "$JS.API.STREAM.MSG.DELETE.batteries_default_tasks", "$JS.API.STREAM.PURGE.batteries_default_results",
  "batteries.default.task", "batteries.default.res.>", "batteries.default.cancel"
], subscribe: ["_INBOX.>", "batteries.default.out.>", "batteries.default.note.>"]`;

test("accounts: a submitter that may do nothing else, submits, stops and takes back calls", async () => {
  const config = `authorization { users: [
    { user: owner, password: all },
    { user: submitter, password: secret, permissions: { ${SUBMITTER} } },
    { user: worker, password: quiet, permissions: { ${WORKER} } }
  ] }`;
  await using server = await Server.start({ config });
  Deno.writeTextFileSync(`${server.folder}/password`, "quiet");
  {
    await using owner = executorFor(server.url, { auth: { user: "owner", password: "all" } });
    await owner.connect();
  }
  const auth = { user: "submitter", password: "secret" };
  await using executor = executorFor(server.url, { auth, create: false });
  const early = executor.submit(square, 1);
  await executor.connect();
  await until("it is taken back", () => early.cancel());
  const args = ["--user", "worker", "--password-file", `${server.folder}/password`, "--no-create"];
  await using _worker = await WorkerProcess.start({ servers: server.url, args });
  assertEquals(await executor.submit(square, 5), 25);
  const controller = new AbortController();
  const slow = executor.with({ signal: controller.signal }).submit(spinFor, "/dev/null", 60_000);
  await until("it runs", () => slow.running());
  controller.abort(new Error("enough"));
  assertEquals((await slow.exception())?.message, "enough");
  assertEquals((await Array.fromAsync(executor.map(square, [1, 2, 3]))).length, 3);
});

/** What either needs besides, for what is too long for a message. */
const STORE = [
  "$JS.API.INFO",
  "$O.batteries_default.>",
  "$JS.API.STREAM.INFO.OBJ_batteries_default",
  "$JS.API.STREAM.PURGE.OBJ_batteries_default",
  "$JS.API.STREAM.MSG.GET.OBJ_batteries_default",
  "$JS.API.CONSUMER.*.OBJ_batteries_default.>",
  "$JS.FC.OBJ_batteries_default.>",
];

test("accounts: what is too long for a message, goes through a store of which both sides may do no more than they need", async () => {
  const more = (account: string) =>
    account.replace("publish: [", `publish: [ ${STORE.map((each) => `"${each}"`).join(", ")},`);
  const config = `authorization { users: [
    { user: owner, password: all },
    { user: submitter, password: secret, permissions: { ${more(SUBMITTER)} } },
    { user: worker, password: quiet, permissions: { ${more(WORKER)} } }
  ] }`;
  await using server = await Server.start({ config });
  const login = { user: "owner", pass: "all" };
  Deno.writeTextFileSync(`${server.folder}/password`, "quiet");
  {
    // The store is made by the first call that needs it.
    await using owner = executorFor(server.url, { auth: { user: "owner", password: "all" } });
    const first = owner.submit(sum, new Uint8Array(2_000_000));
    await until("it is there", async () => (await held(server.url, login)).tasks === 1);
    assertEquals(first.cancel(), true);
  }
  const auth = { user: "submitter", password: "secret" };
  const args = ["--user", "worker", "--password-file", `${server.folder}/password`, "--no-create"];
  await using _worker = await WorkerProcess.start({ servers: server.url, args });
  {
    await using executor = executorFor(server.url, { auth, create: false });
    const long = new Uint8Array(3_000_000).fill(1);
    assertEquals(await executor.submit(sum, long), 3_000_000);
    assertEquals(await executor.submit(echo<Uint8Array>, long), long);
  }
  await untilEmpty(server.url, login);
  assertEquals(server.log().includes("Violation"), false, server.log());
});

test("accounts: a worker that may do nothing else, does its work; who may not, is told", async () => {
  const config = `authorization { users: [
    { user: submitter, password: secret },
    { user: worker, password: quiet, permissions: { ${WORKER} } }
  ] }`;
  await using server = await Server.start({ config });
  const auth = { user: "submitter", password: "secret" };
  const args = ["--user", "worker", "--password-file", `${server.folder}/password`, "--no-create"];
  Deno.writeTextFileSync(`${server.folder}/password`, "quiet\n");
  const early = await WorkerProcess.fail({ servers: server.url, args });
  assertEquals(early.code, 3);
  assertMatch(early.stderr, /let a submitter make it first/);
  await using executor = executorFor(server.url, { auth });
  const future = executor.submit(square, 5);
  await executor.connect();
  await using worker = await WorkerProcess.start({ servers: server.url, args });
  assertEquals(await future, 25);
  assertEquals((await Array.fromAsync(executor.map(square, [1, 2, 3]))).length, 3);
  assertInstanceOf(await executor.submit(untilThere, "/nowhere/x", "y").exception(), Error);
  worker.kill("SIGTERM");
  await worker.ended();
  Deno.writeTextFileSync(`${server.folder}/password`, "wrong\n");
  const wrong = await WorkerProcess.fail({ servers: server.url, args });
  assertEquals(wrong.code, 3);
  assertMatch(wrong.stderr, /refused the credentials/);
  const stranger = executorFor(server.url, { auth: { user: "submitter", password: "no" } });
  await assertRejects(() => stranger.connect(), RuntimeError, "refused the credentials");
  await stranger.shutdown();
});

const openssl = (() => {
  try {
    return new Deno.Command("openssl", { args: ["version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
})();

/** A certificate authority, and a certificate of its for a server and a client. */
async function certificates(folder: string): Promise<void> {
  const script = `cd "$1" &&
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca &&
for who in server client; do
  openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr -subj /CN=localhost &&
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' > $who.ext &&
  openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $who.ext -out $who.pem || exit 1
done`;
  const { success, stderr } = await new Deno.Command("sh", { args: ["-c", script, "sh", folder] })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

if (openssl) {
  test("TLS in both directions, carries calls; without a certificate nobody gets in", async () => {
    const folder = Deno.makeTempDirSync({ prefix: "nats-tls-" });
    try {
      await certificates(folder);
      const config =
        `tls { cert_file: "${folder}/server.pem", key_file: "${folder}/server.key", ca_file: "${folder}/ca.pem", verify: true }`;
      await using server = await Server.start({ config, scheme: "tls" });
      const tls = {
        caFile: `${folder}/ca.pem`,
        certFile: `${folder}/client.pem`,
        keyFile: `${folder}/client.key`,
      };
      await using executor = executorFor(server.url, { tls });
      await executor.connect();
      await using _worker = await WorkerProcess.start({
        servers: server.url,
        args: ["--tls-ca", tls.caFile, "--tls-cert", tls.certFile, "--tls-key", tls.keyFile],
      });
      assertEquals(await executor.submit(square, 5), 25);
      // In a process of its own: Deno 2.9 may throw what the server says of a missing certificate where nobody can catch it.
      const bare = await WorkerProcess.fail({
        servers: server.url,
        args: ["--tls-ca", tls.caFile, "--connect-timeout", "1000"],
      });
      assertEquals([bare.code === 0, bare.stdout], [false, ""]);
      assertMatch(bare.stderr, /certificate|Cannot connect/i);
      // Whoever signed the server's certificate is not trusted.
      const stranger = executorFor(server.url, { tls: {}, connectTimeout: 500 });
      await assertRejects(() => stranger.connect(), RuntimeError, "Cannot connect to NATS");
      await stranger.shutdown();
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

test("a worker whose modules are others, refuses by name what it does not have", async () => {
  await using server = await Server.start();
  const other = new URL("../fixtures/futures/executor_tasks.ts", import.meta.url).href;
  await using _worker = await WorkerProcess.start({
    servers: server.url,
    tasks: { others: other },
  });
  await using executor = executorFor(server.url);
  const error = await executor.submit(square, 5).exception();
  assertInstanceOf(error, UnknownTaskError);
  assertMatch(error!.message, /the worker allows others; start it with --tasks "tasks"=PATH/);
  await using moved = executorFor(server.url, { tasks: { others: TASKS } });
  const missing = await moved.submit(sum, new Uint8Array(1)).exception();
  assertInstanceOf(missing, UnknownTaskError);
  assertMatch(missing!.message, /"others" does not export a function of that name/);
});
