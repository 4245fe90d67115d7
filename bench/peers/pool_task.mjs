// The tasks of piscina and tinypool.
export { answer as default } from "./pool_loads.mjs";
