// A task that does not end by itself: for piscina as it is, for workerpool told to.
function spin(counter) {
  for (;;) Atomics.add(counter, 0, 1);
}

export default spin;

if (process.argv.includes("workerpool") || process.env.STOP_PEER === "workerpool") {
  const { default: workerpool } = await import("workerpool");
  workerpool.worker({ spin });
}
