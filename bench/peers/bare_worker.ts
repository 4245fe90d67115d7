/** A worker with nothing in it: tells when its first line ran. */
const first = performance.timeOrigin + performance.now();
(globalThis as unknown as Worker).postMessage(first);
