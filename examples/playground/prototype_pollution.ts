/** Changes what all objects have in common. */

/** Whoever comes next would see it. */
export default function pollute(): string {
  Object.defineProperty(Object.prototype, "isAdmin", { value: true });
  Array.prototype.reduce = () => 1_000_000;
  globalThis.fetch = () => Promise.resolve(new Response("polluted"));
  return `isAdmin: ${({} as { isAdmin?: boolean }).isAdmin}`;
}
