/** Who connects: each way in which `auth` can say it, against a server that asks for that, from a submitter and from the worker program. */
import { assertEquals, assertMatch } from "@std/assert";
import type { NatsAuth } from "@batteries/concurrent/nats";
import { nkeys } from "npm:@nats-io/nats-core@3.4.0";
import { square } from "../fixtures/nats/tasks.ts";
import { executorFor, Server, test, WorkerProcess } from "./_cluster.ts";

type KeyPair = ReturnType<typeof nkeys.createUser>;

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const seedOf = (pair: KeyPair) => text(pair.getSeed());

/** A user who is let in, and one who is not, as the worker's program is told of them: an option, and what its file holds. */
interface Way {
  readonly config: string;
  readonly auth: NatsAuth;
  readonly args: string[];
  readonly option: string;
  readonly file: string;
  readonly otherFile: string;
}

function token(): Way {
  return {
    config: `authorization { token: "a long token" }`,
    auth: { token: "a long token" },
    args: [],
    option: "--token-file",
    file: "a long token\n",
    otherFile: "another",
  };
}

function password(): Way {
  return {
    config: `authorization { user: me, password: "pass word" }`,
    auth: { user: "me", password: "pass word" },
    args: ["--user", "me"],
    option: "--password-file",
    file: "pass word\n",
    otherFile: "passing word",
  };
}

function nkey(): Way {
  const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
  return {
    config: `authorization { users: [{ nkey: ${user.getPublicKey()} }] }`,
    auth: { nkey: seedOf(user) },
    args: [],
    option: "--nkey",
    file: `${seedOf(user)}\n`,
    otherFile: seedOf(stranger),
  };
}

/** What an issuer says of somebody, signed. */
function signed(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const base64 = (bytes: Uint8Array) =>
    bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  const utf8 = (text: string) => new TextEncoder().encode(text);
  const part = (value: object) => base64(utf8(JSON.stringify(value)));
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    jti: crypto.randomUUID(),
    iat: now,
    iss: issuer.getPublicKey(),
    name,
    sub: subject.getPublicKey(),
    nats: { ...nats, version: 2 },
  };
  const body = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part(claims)}`;
  return `${body}.${base64(issuer.sign(utf8(body)))}`;
}

/** An operator, an account of its with JetStream, and a user of that. */
function creds(): Way {
  const operator = nkeys.createOperator();
  const [system, account, user] = [
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const all = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, conn: -1, leaf: -1 };
  const stored = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const limits = { ...all, wildcards: true };
  const accountJwt = signed(operator, account, "account", {
    type: "account",
    limits: { ...limits, ...stored },
  });
  const systemJwt = signed(operator, system, "system", { type: "account", limits });
  const userClaims = { type: "user", subs: -1, data: -1, payload: -1 };
  const credsOf = (issuer: KeyPair) =>
    [
      "-----BEGIN NATS USER JWT-----",
      signed(issuer, user, "user", userClaims),
      "------END NATS USER JWT------",
      "",
      "-----BEGIN USER NKEY SEED-----",
      seedOf(user),
      "------END USER NKEY SEED------",
      "",
    ].join("\n");
  return {
    config: [
      `operator: ${signed(operator, operator, "operator", { type: "operator" })}`,
      `system_account: ${system.getPublicKey()}`,
      "resolver: MEMORY",
      `resolver_preload: { ${account.getPublicKey()}: ${accountJwt}`,
      `${system.getPublicKey()}: ${systemJwt} }`,
    ].join("\n"),
    auth: { creds: credsOf(account) },
    args: [],
    option: "--creds",
    file: credsOf(account),
    otherFile: credsOf(nkeys.createAccount()),
  };
}

for (const [name, make] of Object.entries({ token, password, nkey, creds })) {
  test(`auth by ${name}, lets submitters and workers in, and nobody else`, async () => {
    const { config, auth, args, option, file, otherFile } = make();
    await using server = await Server.start({ config });
    const servers = server.url;
    const path = `${server.folder}/secret`;
    Deno.writeTextFileSync(path, file);
    const other = `${server.folder}/other`;
    Deno.writeTextFileSync(other, otherFile);
    await using _worker = await WorkerProcess.start({ servers, args: [...args, option, path] });
    await using executor = executorFor(servers, { auth });
    assertEquals(await executor.submit(square, 5), 25);
    for (const wrong of [[...args, option, other], []]) {
      const { code, stdout, stderr } = await WorkerProcess.fail({ servers, args: wrong });
      assertEquals([code, stdout], [3, ""]);
      assertMatch(stderr, /refused the credentials/);
    }
  });
}
