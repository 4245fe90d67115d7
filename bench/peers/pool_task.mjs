// The task of piscina and tinypool.
export default (n) => n + 1;
