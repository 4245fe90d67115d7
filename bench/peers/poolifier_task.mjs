// The task of poolifier.
import { ThreadWorker } from "npm:poolifier@5";

export default new ThreadWorker((n) => n + 1);
