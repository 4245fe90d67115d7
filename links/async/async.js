// @ts-self-types="./async.d.ts"
export { abortable } from "npm:deno-std@1.4.0/async/abortable.js";
export { deadline } from "npm:deno-std@1.4.0/async/deadline.js";
export { delay } from "npm:deno-std@1.4.0/async/delay.js";
export { MuxAsyncIterator } from "npm:deno-std@1.4.0/async/mux_async_iterator.js";
export { pooledMap } from "npm:deno-std@1.4.0/async/pool.js";
export { tee } from "npm:deno-std@1.4.0/async/tee.js";
