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

/** Calls `done` with what an answer says: at once, if nothing is lost by that. Never throws. */
export function receive<B>(
  codec: Codec<B>,
  { kind, body }: Pick<Answer<B>, "kind" | "body">,
  done: (ended: Ended) => void,
): void {
  if (kind === VALUE) {
    try {
      done({ value: codec.unpackNow(body) });
    } catch {
      void valueSoon(codec, body).then(done);
    }
    return;
  }
  let error: EncodedError;
  try {
    error = codec.unpackError(body);
  } catch (cause) {
    return done({ error: cause });
  }
  if (classesAreHere(error)) done({ error: decodeErrorSync(error) });
  else void errorSoon(error).then((error) => done({ error }));
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
