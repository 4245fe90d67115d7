/**
 * The bar of `map(…, { progress: true })`: the same as that of pools.
 *
 * @module
 */
export { type Progress, progressBar } from "../multiprocessing/_progress.ts";
