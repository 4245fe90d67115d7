// The tasks of workerpool.
import workerpool from "npm:workerpool@9";

workerpool.worker({
  next: (x) => typeof x === "number" ? x + 1 : x instanceof Uint8Array ? x.length : x,
});
