import { assert, assertEquals, assertFalse } from "@std/assert";
import { scanModule } from "../../threading/_core/exports.ts";

/** Exported name → what stands behind it; `from x` for what is passed on. */
function exportsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    scanModule(text).exports.map(({ name, declaration, imported }) => [
      name,
      declaration === undefined ? `from ${imported}` : declaration.kind,
    ]),
  );
}

function importsOf(text: string): string[] {
  return scanModule(text).imports.map(({ specifier, names, whole, dynamic }) =>
    `${specifier}: ${[...names, ...(whole ? ["*"] : [])].join(" ")}${dynamic ? " later" : ""}`
  );
}

const EXPORTS: [string, string, Record<string, string>][] = [
  [
    "function declarations",
    "export function a() {}\nexport async function b() {}\nexport function* c() {}\nexport async function *d() {}",
    {
      a: "function",
      b: "function",
      c: "function",
      d: "function",
    },
  ],
  [
    "overloads and generics",
    "export function a(x: string): void;\nexport function a<T extends { b: 1 }>(x: T): { c: number } { return { c: 1 } }\nexport const z = 1",
    {
      a: "function",
      z: "plain",
    },
  ],
  [
    "classes",
    "export class A<T = {}> extends B<{ a: 1 }> implements C { static run() {} }\nexport abstract class D {}\n@dec({}) export class E {}\nexport @dec class F {}",
    {
      A: "class",
      D: "class",
      E: "class",
      F: "class",
    },
  ],
  [
    "arrows",
    "export const a = () => 1, b = async (x) => x, c = x => x, d = <T,>(x: T): T => x, e = (x: { y: 1 }): x is { y: 1 } => true",
    {
      a: "arrow",
      b: "arrow",
      c: "arrow",
      d: "arrow",
      e: "arrow",
    },
  ],
  [
    "arrows with an annotation",
    "export const a: (x: number) => void = (x) => {};\nexport const m: Map<string, number> = new Map<string, number>(), n = 1",
    {
      a: "arrow",
      m: "unknown",
      n: "plain",
    },
  ],
  [
    "function expressions",
    "export const a = function () {}\nexport const b = function inner(): { x: 1 } { return { x: 1 } }\nexport const c = function () { return 1 }()\nexport const d = class {}\nexport const e = class {}.make()",
    {
      a: "function",
      b: "function",
      c: "unknown",
      d: "class",
      e: "unknown",
    },
  ],
  [
    "values that hold no function",
    "export const a = 1, b = 'x', c = `y${1}`, d = /r\\/[/]/g, e = true, f = [1, 2], g = -1, h = 1 as const\nexport enum I { J }\nexport const enum K { L }",
    {
      a: "plain",
      b: "plain",
      c: "plain",
      d: "plain",
      e: "plain",
      f: "plain",
      g: "plain",
      h: "plain",
      I: "plain",
      K: "plain",
    },
  ],
  [
    "values that may",
    "export const a = make(), b = other, c = (() => 1)(), d = x ? y : z, f = [g][0], h = 1 || k, i = 'a'.b, j = <any>k\nexport let l\nexport var m: string;\nexport namespace N { export const x = 1 }",
    {
      a: "unknown",
      b: "unknown",
      c: "unknown",
      d: "unknown",
      f: "unknown",
      h: "unknown",
      i: "unknown",
      j: "unknown",
      l: "unknown",
      m: "unknown",
      N: "unknown",
    },
  ],
  ["destructuring", "export const { a, b: c, ...d } = o, [e] = p", {
    a: "unknown",
    c: "unknown",
    d: "unknown",
    e: "unknown",
  }],
  [
    "lists",
    "function f() {}\nconst a = () => 1\nexport { f as g, a, type T, h as 'a string', type as U }\nexport type { V }\nexport type W = 1\nexport interface X { y: 1 }\nexport declare const Y: 1",
    {
      g: "function",
      a: "arrow",
      "a string": "unknown",
      U: "unknown",
    },
  ],
  [
    "what is passed on",
    "import { x as y } from './a.ts'\nexport { y }\nexport { b as c, default } from './b.ts'\nexport * as d from './c.ts'\nexport * from './d.ts'",
    {
      y: "from x",
      c: "from b",
      default: "from default",
      d: "from *",
    },
  ],
  ["a default function", "export default async function main() {}", { default: "function" }],
  ["a default arrow", "export default () => 1", { default: "arrow" }],
  ["a default class", "export default abstract class {}", { default: "class" }],
  ["a default object", "export default { fetch() {} }", { default: "object" }],
  ["a default name", "const f = () => 1\nexport default f", { default: "arrow" }],
  ["a default call", "export default make(() => 1)", { default: "unknown" }],
  ["a default list", "function f() {}\nexport { f as default }", { default: "function" }],
  [
    "what is written in comments and texts",
    "// export const a = 1\n/* export const b = 1 */\nconst r = [ /a/, // it\n /[\"'`{]/ /* `so` */, /[`]/ ], s = 'export const c = 1', t = `export const d = ${`${1}`}`, u = /export const e/\nif (x) /[\"'`]/.test(s)\nexport const z = 1",
    { z: "plain" },
  ],
  ["what follows divisions", "const a = b / c / d, e = f[0] / 2, g = (h) / i\nexport const z = 1", {
    z: "plain",
  }],
  [
    "what follows regular expressions",
    "const a = /[/'\"]/, b = x ? /`/ : /{/\nreturn_(/}/)\nexport const z = 1",
    {
      z: "plain",
    },
  ],
  [
    "statements without semicolons",
    "export const a = () => 1\nexport const b = a\nlet c = 1\nexport const d = c\n  .e()\nexport function f() {}",
    {
      a: "arrow",
      b: "unknown",
      d: "unknown",
      f: "function",
    },
  ],
  ["names in other scripts", "export const größe = () => 1\nexport function \\u0061b() {}", {
    größe: "arrow",
    ab: "function",
  }],
  ["a byte order mark and a hash bang", "\ufeffexport const a = 1", { a: "plain" }],
  ["a hash bang", "#!/usr/bin/env -S deno run -A 'x\nexport const a = 1", { a: "plain" }],
];

for (const [what, text, expected] of EXPORTS) {
  Deno.test(`scanModule() lists ${what}`, () => {
    assertEquals(exportsOf(text), expected);
    assert(scanModule(text).sound || text.includes("namespace"), "the brackets did not add up");
  });
}

Deno.test("scanModule() tells static members from the others, and what it cannot know", () => {
  const [a, b, c, d] = scanModule(
    `export class A extends mixin<{ q: 1 }>(B, (x) => { x }) { run() {} static go() { let inner } static async *walk() {} static x: y = 1; static #p }
     export class B { static [k]() {} }
     export const C = { a() { const n = 1 }, b: 1, "c d": 2, get e() { return 1 } }
     export const D = { ...C }`,
  ).exports.map(({ declaration }) => declaration!);
  for (const name of ["go", "walk", "x"]) assert(a.members.has(name), name);
  for (const name of ["run", "inner", "y"]) assertFalse(a.members.has(name), name);
  assertFalse(a.open);
  assert(b.open);
  for (const name of ["a", "b", "c d", "e"]) assert(c.members.has(name), name);
  assertFalse(c.members.has("n"));
  assertFalse(c.open);
  assert(d.open);
});

Deno.test("scanModule() lists imports, and leaves out types", () => {
  assertEquals(
    importsOf(
      `import a, { b as c, type D, "e f" as g } from "./1.ts";
       import * as h from './2.ts'
       import type { I } from "./3.ts"
       import type J from "./4.ts"
       import type * as K from "./5.ts"
       import { type L } from "./6.ts"
       import "./7.ts"
       import m, * as n from "./8.ts"
       import type from "./9.ts"
       import data from "./10.json" with { type: "json" }
       export { o } from "./11.ts"
       export type { P } from "./12.ts"
       export * from "./13.ts"
       const meta = import.meta.url, later = () => import("./14.ts"), computed = import(meta)
       import x = require("./15.ts")
       defer.import("./16.ts")`,
    ),
    [
      "./14.ts: * later",
      "./1.ts: default b e f",
      "./2.ts: *",
      "./7.ts: ",
      "./8.ts: default *",
      "./9.ts: default",
      "./10.json: default",
      "./11.ts: o",
      "./13.ts: *",
    ],
  );
});

Deno.test("scanModule() tells where a function gets its name", () => {
  const names = scanModule(
    "export const a = function inner() {}, b = class C {}, d = () => 1; export default function e() {} export { f as g }; function f() {}",
  ).exports.map(({ name, local, declaration }) => [name, local, declaration!.name]);
  assertEquals(names.sort(), [
    ["a", "a", "inner"],
    ["b", "b", "C"],
    ["d", "d", "d"],
    ["default", "e", "e"],
    ["g", "f", "f"],
  ]);
});

Deno.test("scanModule() says that it lost the way rather than leave an export out", () => {
  for (
    const text of [
      "module.exports = { a }",
      "exports.a = () => 1",
      "const a = ) \n export const b = 1",
      "if (x) { \n export const b = 1",
      "const a = <p>it's {b</p>\nexport const c = 1",
      "`",
      "/* no end",
      "${",
    ]
  ) {
    const { sound, exports } = scanModule(text);
    assert(!sound || exports.length > 0, text);
  }
});

Deno.test("scanModule() ends on any text, cut anywhere", async () => {
  const text = await Deno.readTextFile(
    new URL("../../threading/_core/exports.ts", import.meta.url),
  );
  for (let at = 0; at < text.length; at += 97) scanModule(text.slice(at, at + 2000));
  assertEquals(Object.keys(exportsOf(text)), ["scanModule"]);
});

Deno.test("scanModule() agrees with the runtime about the exports of this project's modules", async () => {
  for (const file of ["exports", "namespaces", "reference", "call_site", "errors", "clock"]) {
    const url = new URL(`../../threading/_core/${file}.ts`, import.meta.url);
    const found = scanModule(await Deno.readTextFile(url)).exports.map(({ name }) => name);
    assertEquals([...new Set(found)].sort(), Object.keys(await import(url.href)).sort(), file);
  }
});

Deno.test("scanModule() agrees with the runtime about every module of the standard library", async () => {
  const root = new URL(".", import.meta.resolve("npm:deno-std@1.4.0/assert/mod.js"));
  let count = 0;
  // These import files that this copy of the library lacks.
  const broken = ["channel.js", "file_server.js"];
  for (
    const folder of [
      "assert",
      "async",
      "collections",
      "csv",
      "fmt",
      "http",
      "jsonc",
      "path",
      "regexp",
      "semver",
      "streams",
      "text",
    ]
  ) {
    const at = new URL(`../${folder}/`, root);
    for await (const { name, isFile } of Deno.readDir(at)) {
      if (!isFile || !name.endsWith(".js") || broken.includes(name)) continue;
      const url = new URL(name, at);
      const text = await Deno.readTextFile(url);
      if (!/^export\b/m.test(text) || /^export \*/m.test(text)) continue;
      const { exports, sound } = scanModule(text);
      assert(sound, url.href);
      const names = exports.map((entry) => entry.name).sort();
      assertEquals([...new Set(names)], Object.keys(await import(url.href)).sort(), url.href);
      count++;
    }
  }
  assert(count > 100, `only ${count} modules were read`);
});
