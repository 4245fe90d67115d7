/** The handshake of keys. CPython's: `OtherTest` (challenges), `ChallengeResponseTest`, `_TestListener.test_empty_authkey`. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { AuthenticationError } from "../../multiprocessing/errors.ts";
import {
  answerChallenge,
  type ByteChannel,
  Client,
  deliverChallenge,
  Listener,
  Pipe,
} from "@batteries/concurrent/multiprocessing/connection";
import { utf8 } from "../fixtures/multiprocessing/pairs.ts";
import { frame, Stranger } from "../fixtures/multiprocessing/stranger.ts";

const KEY = utf8("supadupasecretkey");
const FAMILIES = ["AF_UNIX", "AF_INET"] as const;

/** The HMAC under `key`, by the book. */
async function hmac(key: Uint8Array, message: Uint8Array, hash = "SHA-256"): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey(
    "raw",
    new Uint8Array(key),
    { name: "HMAC", hash },
    false,
    ["sign"],
  );
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, new Uint8Array(message)));
}

function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

function text(bytes: Uint8Array | null): string {
  return new TextDecoder().decode(bytes!);
}

/** Errors of both, which must have failed. */
async function failures(...calls: Promise<unknown>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(calls);
  return results.map((result) => result.status === "rejected" ? result.reason : "no error");
}

Deno.test("deliverChallenge, accepts what answerChallenge answers", async () => {
  for (const key of [KEY, new Uint8Array(), new Uint8Array(200).fill(7)]) {
    const [a, b] = Pipe();
    await Promise.all([deliverChallenge(a, key), answerChallenge(b, key)]);
    await Promise.all([answerChallenge(a, key), deliverChallenge(b, key)]);
    assertEquals([await a.poll(), await b.poll()], [false, false]);
    a.close();
    b.close();
  }
});

Deno.test("deliverChallenge with another key, is an AuthenticationError on both sides", async () => {
  const [a, b] = Pipe();
  const errors = await failures(deliverChallenge(a, KEY), answerChallenge(b, utf8("other")));
  assert(errors.every((error) => error instanceof AuthenticationError), String(errors));
  a.close();
  b.close();
});

Deno.test("deliverChallenge, refuses a bogus answer", async () => {
  const sent: Uint8Array[] = [];
  const fake = {
    sendBytes: (bytes: Uint8Array) => void sent.push(bytes),
    recvBytes: () => utf8("something bogus"),
  };
  await assertRejects(() => deliverChallenge(fake, utf8("abc")), AuthenticationError);
  assertStringIncludes(text(sent[0]), "#CHALLENGE#{sha256}");
  assertEquals(sent[0].length, "#CHALLENGE#{sha256}".length + 40);
  assertEquals(text(sent[1]), "#FAILURE#");
});

Deno.test("answerChallenge, refuses what is no challenge, or a weak one", async () => {
  for (
    const question of [
      "",
      "bogus",
      "#CHALLENGE#",
      "#CHALLENGE#0123456789",
      "#CHALLENGE#is-twenty-bytes-long",
      "#CHALLENGE#{md5}0123456789012345678901234567890123456789",
      "#CHALLENGE#{sha256}too short",
      "#CHALLENGE#{constructor}0123456789012345678901234567890123456789",
      "#CHALLENGE#{sha2560123456789012345678901234567890123456789",
    ]
  ) {
    const fake = {
      sendBytes: () => {},
      recvBytes: () => Promise.resolve(utf8(question)),
    };
    await assertRejects(() => answerChallenge(fake, KEY), AuthenticationError, undefined, question);
  }
});

Deno.test("answerChallenge, does not take an answer that was not welcomed", async () => {
  for (const verdict of ["#FAILURE#", "something bogus", "", "#WELCOME##"]) {
    const messages = [`#CHALLENGE#{sha256}${"x".repeat(40)}`, verdict];
    const fake = { sendBytes: () => {}, recvBytes: () => utf8(messages.shift()!) };
    await assertRejects(() => answerChallenge(fake, KEY), AuthenticationError);
  }
});

Deno.test("challenges, are random", async () => {
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const fake = {
      sendBytes: (bytes: Uint8Array) => void seen.add(bytes.join()),
      recvBytes: () => new Uint8Array(),
    };
    await deliverChallenge(fake, KEY).catch(() => {});
  }
  assertEquals(seen.size, 21); // 20 challenges, and #FAILURE#
});

Deno.test("challenges, want a key of bytes", async () => {
  const [a, b] = Pipe();
  await assertRejects(() => deliverChallenge(a, "key" as never), TypeError, "Uint8Array");
  await assertRejects(() => answerChallenge(b, "key" as never), TypeError);
  a.close();
  b.close();
});

Deno.test("the handshake, is CPython's: a peer by the book is let in", async () => {
  for (const [digest, hash] of [["sha256", "SHA-256"], ["sha384", "SHA-384"]]) {
    using listener = new Listener({ family: "AF_INET", authkey: KEY });
    using stranger = await Stranger.to(listener.address as never);
    const question = (await stranger.receive())!.slice("#CHALLENGE#".length);
    await stranger.send(join(utf8(`{${digest}}`), await hmac(KEY, question, hash)));
    assertEquals(text(await stranger.receive()), "#WELCOME#");
    const mine = join(utf8(`{${digest}}`), crypto.getRandomValues(new Uint8Array(40)));
    await stranger.send(join(utf8("#CHALLENGE#"), mine));
    assertEquals(
      await stranger.receive(),
      join(utf8(`{${digest}}`), await hmac(KEY, mine, hash)),
    );
    await stranger.send(utf8("#WELCOME#"));
    using server = await listener.accept();
    await stranger.send(utf8("bytes"));
    assertEquals(text(await server.recvBytes()), "bytes");
  }
});

Deno.test("the handshake, an answer to another challenge or under another digest's name is refused", async () => {
  using listener = new Listener({ family: "AF_INET", authkey: KEY });
  const answers = [
    (question: Uint8Array) => hmac(KEY, question).then((mac) => join(utf8("{sha384}"), mac)),
    (question: Uint8Array) => hmac(KEY, question.slice(8)).then((m) => join(utf8("{sha256}"), m)),
    (question: Uint8Array) => hmac(utf8("no"), question).then((m) => join(utf8("{sha256}"), m)),
    (question: Uint8Array) => hmac(KEY, question),
    () => Promise.resolve(utf8("{sha256}")),
    () => Promise.resolve(utf8("#WELCOME#")),
    (question: Uint8Array) => Promise.resolve(join(utf8("#CHALLENGE#"), question)),
  ];
  for (const answer of answers) {
    using stranger = await Stranger.to(listener.address as never);
    const question = (await stranger.receive())!.slice("#CHALLENGE#".length);
    await stranger.send(await answer(question));
    assertEquals(text(await stranger.receive()), "#FAILURE#");
    assertEquals(await stranger.receive(), null);
    await assertRejects(() => listener.accept(), AuthenticationError);
  }
});

for (const family of FAMILIES) {
  const test = (what: string, body: () => Promise<void>) =>
    Deno.test(`Listener of ${family} with a key: ${what}`, body);

  test("a client with the key, is let in", async () => {
    for (const authkey of [KEY, new Uint8Array()]) {
      using listener = new Listener({ family, authkey });
      using client = await Client(listener.address, { authkey });
      using server = await listener.accept();
      await client.send(1729);
      assertEquals(await server.recv(), 1729);
    }
  });

  test("a wrong key, is an AuthenticationError on both sides and the listener goes on", async () => {
    using listener = new Listener({ family, authkey: KEY });
    const { address } = listener;
    for (const authkey of [utf8("wrong"), new Uint8Array(), KEY.slice(1)]) {
      const errors = await failures(listener.accept(), Client(address, { authkey }));
      assert(errors.every((error) => error instanceof AuthenticationError), String(errors));
    }
    assertEquals(listener.lastAccepted, null);
    using client = await Client(address, { authkey: KEY });
    using server = await listener.accept();
    await server.send("right");
    assertEquals(await client.recv(), "right");
  });

  test("a key on one side only, is an AuthenticationError on both", async () => {
    using closed = new Listener({ family, authkey: KEY });
    using open = new Listener({ family });
    for (
      const [listener, options] of [[closed, {}], [open, { authkey: KEY }]] as const
    ) {
      const errors = await failures(listener.accept(), Client(listener.address, options));
      assert(errors.every((error) => error instanceof AuthenticationError), String(errors));
    }
  });

  test("the key, may be changed by its owner afterwards", async () => {
    const authkey = KEY.slice();
    using listener = new Listener({ family, authkey });
    authkey.fill(0);
    using client = await Client(listener.address, { authkey: KEY });
    (await listener.accept()).close();
    void client;
  });

  test("half-dead peers, keep no one else waiting", async () => {
    using listener = new Listener({ family, authkey: KEY });
    const silent: Stranger[] = [];
    for (let i = 0; i < 100; i++) silent.push(await Stranger.to(listener.address as never));
    // Some say half of something.
    for (const stranger of silent.slice(0, 50)) await stranger.raw(new Uint8Array([0, 0]));
    using client = await Client(listener.address, { authkey: KEY });
    using server = await listener.accept();
    await client.send("through");
    assertEquals(await server.recv(), "through");
    for (const stranger of silent) stranger[Symbol.dispose]();
  });

  test("mutated handshakes, are refused without harm", async () => {
    using listener = new Listener({ family, authkey: KEY });
    for (let round = 0; round < 60; round++) {
      using stranger = await Stranger.to(listener.address as never);
      const question = (await stranger.receive())!.slice("#CHALLENGE#".length);
      const bytes = frame(join(utf8("{sha256}"), await hmac(KEY, question)));
      const places = crypto.getRandomValues(new Uint8Array(2));
      // One bit turned, cut off, or something behind a length that is too long.
      if (round % 3 === 0) bytes[4 + places[0] % (bytes.length - 4)] ^= 1 << places[1] % 8;
      const mutated = round % 3 === 1 ? bytes.slice(0, places[0] % bytes.length) : bytes;
      if (round % 3 === 2) mutated[places[0] % 3] = places[1] | 1;
      await stranger.raw(mutated);
      await stranger.end();
      await assertRejects(() => listener.accept({ timeout: 60_000 }), AuthenticationError);
    }
    using client = await Client(listener.address, { authkey: KEY });
    (await listener.accept()).close();
    void client;
  });
}

Deno.test("Client, turns away from a listener that only pretends to know the key", async () => {
  const authkey = KEY;
  using pretender = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = pretender.addr;
  const calling = Client({ hostname, port }, { authkey });
  using stranger = await Stranger.at(pretender);
  await stranger.send(utf8(`#CHALLENGE#{sha256}${"x".repeat(40)}`));
  await stranger.receive();
  await stranger.send(utf8("#WELCOME#"));
  assertStringIncludes(text(await stranger.receive()), "#CHALLENGE#");
  await stranger.send(join(utf8("{sha256}"), new Uint8Array(32)));
  await assertRejects(() => calling, AuthenticationError);
  assertEquals(text(await stranger.receive()), "#FAILURE#");
});

Deno.test("Client, survives a listener that sends anything", async () => {
  using pretender = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = pretender.addr;
  for (let round = 0; round < 40; round++) {
    const calling = Client({ hostname, port }, round % 2 ? { authkey: KEY } : {});
    const refused = assertRejects(() => calling, AuthenticationError);
    using stranger = await Stranger.at(pretender);
    const bytes = crypto.getRandomValues(new Uint8Array(1 + round * 10));
    if (round % 4 > 1) bytes.set([0, 0, 0]);
    await stranger.raw(bytes);
    await stranger.end();
    await refused;
  }
});

Deno.test("Challenges, over what neither sends nor receives bytes, are refused", async () => {
  for (const wrong of [{}, null, "x", { sendBytes() {} }] as unknown as ByteChannel[]) {
    await assertRejects(() => deliverChallenge(wrong, KEY), TypeError, "sendBytes and recvBytes");
    await assertRejects(() => answerChallenge(wrong, KEY), TypeError, "sendBytes and recvBytes");
  }
});
