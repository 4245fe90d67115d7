// The tasks of workerpool.
import { answer } from "./pool_loads.mjs";

const { default: workerpool } = await import("workerpool");
workerpool.worker({ answer });
