// File by file: the mirror's own `async/mod.js` imports a file that its packaging renamed (`channel.js` → `data-structures/`).
export { abortable, deadline, delay, MuxAsyncIterator, pooledMap, tee } from "./async.js";
