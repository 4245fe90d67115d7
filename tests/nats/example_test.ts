/** The example of the cluster: the same sums as the system's own program. */
import { assertEquals, assertMatch } from "@std/assert";
import { runExample } from "../examples/_run.ts";
import { test } from "./_cluster.ts";

test("examples/hash_cluster.ts, hashes all files of a folder with three workers", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "nats-example-" });
  try {
    Deno.mkdirSync(`${folder}/deeper`);
    for (let i = 0; i < 40; i++) {
      const name = i % 2 === 0 ? `${folder}/${i}` : `${folder}/deeper/${i}`;
      Deno.writeFileSync(name, crypto.getRandomValues(new Uint8Array(1 + i * 1000)));
    }
    const { code, stdout, stderr } = await runExample("hash_cluster", folder);
    assertMatch(stderr, /^40 files, 780040 bytes, [123] workers\n$/);
    assertEquals(code, 0);
    const sums = await new Deno.Command("sh", {
      args: ["-c", `find "$1" -type f -print0 | xargs -0 sha256sum`, "sh", folder],
    }).output();
    const lines = (text: string) => text.trimEnd().split("\n").sort();
    assertEquals(lines(stdout), lines(new TextDecoder().decode(sums.stdout)));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
