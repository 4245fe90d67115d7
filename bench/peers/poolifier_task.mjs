// The tasks of poolifier.
import { answer } from "./pool_loads.mjs";

const { ThreadWorker } = await import("poolifier");
export default new ThreadWorker(answer);
