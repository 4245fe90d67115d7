/**
 * What proxies of pools can do, as it is done in the server. Loaded when a manager makes its first pool.
 *
 * @module
 */
import type { WaitOptions } from "../threading/_core/mod.ts";
import { addKind } from "./_manager_objects.ts";
import { kindOf, methods } from "./_manager_kind.ts";
import { AsyncResult, Pool, type PoolOptions } from "./pool.ts";

addKind(kindOf("Pool", (object) => object instanceof Pool, Pool.prototype, {
  ...methods<Pool>("apply", "applyAsync", "map", "mapAsync", "starmap", "starmapAsync"),
  ...methods<Pool>("imap", "imapUnordered", "close", "terminate", "join"),
}));

addKind(
  kindOf("AsyncResult", (object) => object instanceof AsyncResult, AsyncResult.prototype, {
    ...methods<AsyncResult<unknown>>("ready", "successful"),
    get: (result: AsyncResult<unknown>, [options], { signal }) =>
      result.get({ ...options as WaitOptions, signal }),
    wait: (result: AsyncResult<unknown>, [options], { signal }) =>
      result.wait({ ...options as WaitOptions, signal }),
  }),
);

/** Makes a pool. */
export function makePool(options?: PoolOptions): Pool {
  return new Pool(options);
}
