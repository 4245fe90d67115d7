/**
 * What has come from a worker, turned back into values and errors: at once where that can be, else when the modules that it needs are
 * imported.
 *
 * Guarantees: it always ends, also while the main module is still being evaluated and may wait for just that; see `arrival.ts` of the
 * engine room. Nothing is imported then.
 *
 * @module
 */
import {
  classesAreHere,
  decodeError,
  decodeErrorSync,
  type EncodedError,
  type Ended,
  mainIsEvaluated,
  PicklingError,
} from "../threading/_core/mod.ts";
import { type Answer, type Codec, VALUE } from "./_crew_protocol.ts";

/** What an answer says, once the modules are imported that it needs. */
export class Arrival<B> {
  readonly #codec: Codec<B>;
  readonly #came: Came<B>;
  #done: ((ended: Ended) => void) | undefined;

  constructor(codec: Codec<B>, came: Came<B>) {
    this.#codec = codec;
    this.#came = came;
  }

  /** Begins to import them, and calls `done` in the end, once. */
  whenDone(done: (ended: Ended) => void): void {
    this.#done = done;
    const { body, error } = this.#came;
    const ended = error === undefined
      ? valueSoon(this.#codec, body)
      : errorSoon(error).then((error) => ({ error }));
    void ended.then((ended) => this.#settle(ended));
  }

  /** For who cannot wait for that: an error is one without its class then; a value that is not whole is waited for all the same. */
  hurry(): void {
    const { body, error } = this.#came;
    if (error !== undefined) return this.#settle({ error: decodeErrorSync(error) });
    try {
      this.#settle({ value: this.#codec.unpackNow(body) });
    } catch {
      // Its modules are not there yet.
    }
  }

  #settle(ended: Ended): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(ended);
  }
}

/** What has come: an error is taken out of its body already. */
interface Came<B> {
  readonly body: B;
  readonly error?: EncodedError;
}

/** What an answer says: at once, if nothing is lost by that. Never throws. */
export function receive<B>(
  codec: Codec<B>,
  { kind, body }: Pick<Answer<B>, "kind" | "body">,
): Ended | Arrival<B> {
  if (kind === VALUE) {
    try {
      return { value: codec.unpackNow(body) };
    } catch {
      return new Arrival(codec, { body });
    }
  }
  let error: EncodedError;
  try {
    error = codec.unpackError(body);
  } catch (cause) {
    return { error: cause };
  }
  if (classesAreHere(error)) return { error: decodeErrorSync(error) };
  return new Arrival(codec, { body, error });
}

async function valueSoon<B>(codec: Codec<B>, body: B): Promise<Ended> {
  if (!await mainIsEvaluated()) {
    try {
      return { value: codec.unpackNow(body) };
    } catch (cause) {
      return {
        error: new PicklingError(
          "Cannot receive the result: it needs a module that is not loaded while the main module is still being evaluated; " +
            "move its class to a module of its own, and import that in the main module",
          { cause },
        ),
      };
    }
  }
  try {
    return { value: await codec.unpackSoon(body) };
  } catch (error) {
    return { error };
  }
}

/** The error that was encoded, of its own class if that can be had. Never rejects. */
export async function errorSoon(error: EncodedError): Promise<unknown> {
  return await mainIsEvaluated() ? await decodeError(error) : decodeErrorSync(error);
}
