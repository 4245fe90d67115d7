// The tasks of poolifier.
import { ThreadWorker } from "npm:poolifier@5";

export default new ThreadWorker((x) =>
  typeof x === "number" ? x + 1 : x instanceof Uint8Array ? x.length : x
);
