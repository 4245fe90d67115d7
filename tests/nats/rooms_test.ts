/** What docs/architecture.md says of `nats`: nobody else pays for it. */
import { assertEquals } from "@std/assert";

const root = new URL("../../", import.meta.url);

function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, root))) {
    if (isDirectory) yield* sources(`${folder}${name}/`);
    else if (name.endsWith(".ts")) yield `${folder}${name}`;
  }
}

const { publish } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", root))) as {
  publish: { include: string[] };
};
const files = publish.include
  .flatMap((name) =>
    Deno.statSync(new URL(name, root)).isDirectory ? [...sources(`${name}/`)] : [name]
  )
  .filter((name) => name.endsWith(".ts") && !name.startsWith("links/"));
const ours = /^futures\/(nats|_nats_\w+)\.ts$/;

Deno.test("nats: no other file of the package, imports it or anything from npm", () => {
  const wrong = files.filter((file) => {
    const text = Deno.readTextFileSync(new URL(file, root));
    return !ours.test(file) && /^(?:import|export)\b[^;]*"(?:npm:|[^"]*\/_?nats)/m.test(text);
  });
  assertEquals(wrong, []);
  assertEquals(files.some((file) => ours.test(file)), true);
});

Deno.test("nats: the client, is named with its exact version, and only so", () => {
  const found = new Set<string>();
  for (const file of files.filter((file) => ours.test(file))) {
    const text = Deno.readTextFileSync(new URL(file, root));
    for (const [, name] of text.matchAll(/"(npm:[^"]+)"/g)) found.add(name);
  }
  assertEquals([...found].sort(), [
    "npm:@nats-io/jetstream@3.4.0",
    "npm:@nats-io/nats-core@3.4.0",
    "npm:@nats-io/obj@3.4.0",
    "npm:@nats-io/transport-node@3.4.0",
  ]);
});
