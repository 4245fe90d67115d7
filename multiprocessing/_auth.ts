/**
 * How two ends of a connection show each other that they know the same key, without telling it.
 *
 * Who asks sends a challenge: random bytes, and the name of a digest before them. Who answers sends their HMAC under the key. The
 * messages are those of CPython since 3.12, so that a `Listener` and a `Client` with a key understand Python's:
 *
 * ```text
 * asks:    #CHALLENGE#{sha256}<40 random bytes>
 * answers: {sha256}<HMAC-SHA-256 of everything after #CHALLENGE#>
 * asks:    #WELCOME#, or #FAILURE#
 * ```
 *
 * Each side asks once; the listener begins. Where neither has a key, both say `#OPEN#`, so that a key on one side only is noticed
 * on both.
 *
 * Guarantees: before the other end has proved itself, only messages of at most {@linkcode LONGEST} bytes are received, they are
 * compared with what is expected, and nothing else is made of them. Which digest an answer uses cannot be lowered by somebody on the
 * way: the HMAC covers its name.
 *
 * @module
 */
import { AuthenticationError } from "./errors.ts";

/** What carries a handshake: a `Connection`, or whatever sends and receives bytes. */
export interface ByteChannel {
  /** Sends a message. */
  sendBytes(bytes: Uint8Array): unknown;
  /** Receives a message of at most `maxlength` bytes. */
  recvBytes(maxlength?: number): Promise<Uint8Array> | Uint8Array;
}

/** No message of a handshake is longer. */
const LONGEST = 256;
/** Random bytes in a challenge, and the fewest that are answered. */
const FRESH = 40;
const FEWEST = 20;

const encoder = new TextEncoder();
const CHALLENGE = encoder.encode("#CHALLENGE#");
const WELCOME = encoder.encode("#WELCOME#");
const FAILURE = encoder.encode("#FAILURE#");
const OPEN = encoder.encode("#OPEN#");

/** The digests that an answer may use, by the names that go over the wire. */
const DIGESTS: Readonly<Record<string, string>> = { sha256: "SHA-256", sha384: "SHA-384" };
const PREFERRED = "sha256";

/**
 * Checks a key.
 *
 * @throws {TypeError} when it is no `Uint8Array`.
 */
export function checkKey(authkey: unknown, what: string): asserts authkey is Uint8Array {
  if (!(authkey instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${what}: authkey must be a Uint8Array, got ${
        authkey === null ? "null" : typeof authkey
      }; encode a text with new TextEncoder().encode(text)`,
    );
  }
}

function checkChannel(connection: unknown, what: string): void {
  const { sendBytes, recvBytes } = (connection ?? {}) as Partial<ByteChannel>;
  if (typeof sendBytes === "function" && typeof recvBytes === "function") return;
  throw new TypeError(
    `Cannot ${what}: it takes a Connection, or an object with sendBytes and recvBytes, got ${
      connection === null ? "null" : typeof connection
    }`,
  );
}

/**
 * Asks the other end of `connection` to prove that it knows `authkey`, which {@linkcode answerChallenge} does, and tells it whether
 * it did. Stands for `multiprocessing.connection.deliver_challenge`.
 *
 * @throws {AuthenticationError} when the answer is wrong.
 * @throws {TypeError} when the key is no `Uint8Array`, or the connection none.
 *
 * @example
 * ```ts
 * import { answerChallenge, deliverChallenge, Pipe } from "@batteries/concurrent/multiprocessing/connection";
 *
 * const key = new TextEncoder().encode("a secret");
 * const [a, b] = Pipe();
 * await Promise.all([deliverChallenge(a, key), answerChallenge(b, key)]);
 * a.close();
 * b.close();
 * ```
 */
export async function deliverChallenge(
  connection: ByteChannel,
  authkey: Uint8Array,
): Promise<void> {
  checkChannel(connection, "deliver a challenge");
  checkKey(authkey, "deliver a challenge");
  const prefix = encoder.encode(`{${PREFERRED}}`);
  const message = new Uint8Array(prefix.length + FRESH);
  message.set(prefix);
  crypto.getRandomValues(message.subarray(prefix.length));
  await connection.sendBytes(join(CHALLENGE, message));
  const response = await connection.recvBytes(LONGEST);
  if (await verify(authkey, message, response)) {
    await connection.sendBytes(WELCOME);
    return;
  }
  await connection.sendBytes(FAILURE);
  throw new AuthenticationError(
    starts(response, FAILURE)
      ? "Cannot authenticate: the other end has no authkey, or refuses ours; give both ends the same one"
      : "Cannot authenticate: the other end did not prove that it knows the authkey; give both ends the same one",
  );
}

/**
 * Proves to the other end of `connection`, which does {@linkcode deliverChallenge}, that this one knows `authkey`. Stands for
 * `multiprocessing.connection.answer_challenge`.
 *
 * @throws {AuthenticationError} when the other end does not accept the answer, or does not ask as it should.
 * @throws {TypeError} when the key is no `Uint8Array`.
 */
export async function answerChallenge(connection: ByteChannel, authkey: Uint8Array): Promise<void> {
  checkChannel(connection, "answer a challenge");
  checkKey(authkey, "answer a challenge");
  const question = await connection.recvBytes(LONGEST);
  if (!starts(question, CHALLENGE)) {
    if (equal(question, OPEN)) await connection.sendBytes(FAILURE);
    throw new AuthenticationError(
      equal(question, OPEN)
        ? "Cannot authenticate: the other end has no authkey; give both ends the same one, or neither"
        : "Cannot authenticate: the other end sent something else than a challenge",
    );
  }
  const message = question.slice(CHALLENGE.length);
  const digest = digestOf(message);
  if (digest === undefined || message.length - digest.length - 2 < FEWEST) {
    await connection.sendBytes(FAILURE);
    throw new AuthenticationError(
      "Cannot authenticate: the challenge of the other end is too short, or asks for a digest other than sha256 and sha384",
    );
  }
  const mac = await sign(authkey, message, digest);
  await connection.sendBytes(join(encoder.encode(`{${digest}}`), mac));
  if (!equal(await connection.recvBytes(LONGEST), WELCOME)) {
    throw new AuthenticationError(
      "Cannot authenticate: the other end did not accept the answer to its challenge; give both ends the same authkey",
    );
  }
}

/** The listener's half of the handshake with a new peer. */
export async function greet(connection: ByteChannel, authkey: Uint8Array | null): Promise<void> {
  if (authkey !== null) {
    await deliverChallenge(connection, authkey);
    await answerChallenge(connection, authkey);
    return;
  }
  await connection.sendBytes(OPEN);
  if (!equal(await connection.recvBytes(LONGEST), OPEN)) {
    throw new AuthenticationError(
      "Cannot accept: the peer has an authkey and this listener has none, or it is not a Client of this library",
    );
  }
}

/** The client's half of the handshake. */
export async function introduce(
  connection: ByteChannel,
  authkey: Uint8Array | null,
): Promise<void> {
  if (authkey !== null) {
    await answerChallenge(connection, authkey);
    await deliverChallenge(connection, authkey);
    return;
  }
  if (equal(await connection.recvBytes(LONGEST), OPEN)) {
    await connection.sendBytes(OPEN);
    return;
  }
  await connection.sendBytes(FAILURE);
  throw new AuthenticationError(
    "Cannot connect: the listener asks for an authkey and none was given, or it is not a Listener of this library",
  );
}

/** The digest that stands before a challenge or an answer. */
function digestOf(message: Uint8Array): string | undefined {
  if (message[0] !== 0x7b) return undefined;
  const end = message.subarray(0, 16).indexOf(0x7d);
  const name = String.fromCharCode(...message.subarray(1, Math.max(end, 1)));
  return Object.hasOwn(DIGESTS, name) ? name : undefined;
}

async function verify(
  authkey: Uint8Array,
  message: Uint8Array<ArrayBuffer>,
  response: Uint8Array,
): Promise<boolean> {
  const digest = digestOf(response);
  if (digest === undefined) return false;
  const mac = new Uint8Array(response.subarray(digest.length + 2));
  const key = await importKey(authkey, digest, "verify");
  // Compares in constant time, and is false for a MAC of the wrong length.
  return await crypto.subtle.verify("HMAC", key, mac, message);
}

async function sign(
  authkey: Uint8Array,
  message: Uint8Array<ArrayBuffer>,
  digest: string,
): Promise<Uint8Array> {
  const key = await importKey(authkey, digest, "sign");
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message));
}

function importKey(authkey: Uint8Array, digest: string, use: KeyUsage): Promise<CryptoKey> {
  // HMAC fills a short key up with zeros, so a zero is the same key as none, which Web Crypto refuses.
  const key = authkey.length === 0 ? new Uint8Array(1) : new Uint8Array(authkey);
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: DIGESTS[digest] }, false, [use]);
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

function starts(bytes: Uint8Array, beginning: Uint8Array): boolean {
  return beginning.every((byte, i) => bytes[i] === byte);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && starts(a, b);
}
