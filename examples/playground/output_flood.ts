/** Prints without end. */

/** See above. */
export default function babble(): never {
  const bytes = new TextEncoder().encode("blah ".repeat(10_000));
  for (;;) {
    console.log("blah ".repeat(100));
    try {
      Deno.stdout.writeSync(bytes);
    } catch {
      // Nobody listens: all the louder.
    }
  }
}
