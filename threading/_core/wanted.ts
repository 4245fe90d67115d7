/**
 * What a search looks for, and what the text of a module says about it.
 *
 * @module
 */

import { PicklingError } from "./errors.ts";
import type { Declaration, Exported, ModuleScan } from "./exports.ts";
import { dataAt } from "./namespaces.ts";

/** A function or class by identity, name and source text, or another object by identity and name. */
export class Wanted {
  /** The thing itself. */
  readonly value: object;
  /** The `name` property of the function, or the name that was given for another object. */
  readonly name: string;
  /** The source text of a function; empty for other objects. */
  readonly source: string;
  /** How it is written. Methods count as arrows: neither begins with a keyword. */
  readonly kind: "function" | "class" | "arrow" | "object";

  constructor(value: object, name: string = "") {
    this.value = value;
    if (typeof value !== "function") {
      this.name = name;
      this.source = "";
      this.kind = "object";
      return;
    }
    const own = dataAt(value, "name");
    this.name = typeof own === "string" ? own : "";
    this.source = Function.prototype.toString.call(value);
    this.kind = /^class\b/.test(this.source)
      ? "class"
      : /^(?:async\s+)?function\b/.test(this.source)
      ? "function"
      : "arrow";
  }

  /** For messages. */
  get label(): string {
    return this.name === "" ? "an anonymous function" : `'${this.name}'`;
  }

  /** Written as `run() { … }` in a class or an object. */
  get isMethod(): boolean {
    return this.kind === "arrow" && !Object.hasOwn(this.value, "prototype") &&
      /^(?:async\s+|\*\s*|get\s+|set\s+|static\s+)*(?:\[|#?[\p{ID_Start}$_][\p{ID_Continue}$]*\s*\(|["'\d])/u
        .test(this.source) &&
      !/^async\s*\([^]*?\)\s*=>/.test(this.source);
  }

  /** Throws for what no module can have: bound and native functions, and proxies. */
  refuseByNature(what: string): void {
    const { name, source } = this;
    if (!/\{\s*\[native code\]\s*\}\s*$/.test(source)) return;
    if (name.startsWith("bound ")) {
      throw new PicklingError(
        `Cannot ${what} '${
          name.slice(6)
        }': it is bound to an object with bind(), which cannot travel; ` +
          `export a function that makes the call, and pass the object as an argument`,
      );
    }
    // The source text of a native function has its name; that of a Proxy has none.
    if (name !== "" && !source.includes(name)) {
      throw new PicklingError(
        `Cannot ${what} '${name}': it is a Proxy, which cannot travel; pass the function itself, or export one that calls it`,
      );
    }
    throw new PicklingError(
      `Cannot ${what} ${this.label}: it is native code (or a Proxy), which belongs to no module; ` +
        `export a function that calls it`,
    );
  }
}

/** What the text of a module says about the wanted thing. */
export type Verdict =
  /** It has an export (or a member of one) that is called and written like it. */
  | "named"
  /** It has exports of which the text does not tell what they hold. */
  | "maybe"
  | "no";

/** Whether a module with this text can have it. */
export function verdictOf(scan: ModuleScan, wanted: Wanted): Verdict {
  let verdict: Verdict = scan.sound && !scan.assigned.has(wanted.name) ? "no" : "maybe";
  for (const entry of scan.exports) {
    const one = verdictOn(entry, wanted);
    if (one === "named") return one;
    if (one === "maybe") verdict = one;
  }
  return verdict;
}

/** Whether this export can be it, or have it as a member. */
export function verdictOn({ name, declaration, imported }: Exported, wanted: Wanted): Verdict {
  const isCalled = (other: string | undefined) =>
    other !== undefined && other !== "" && other === wanted.name;
  if (declaration === undefined) {
    // Passed on from another module, which is looked into as well.
    return isCalled(name) || isCalled(imported) ? "named" : "no";
  }
  switch (declaration.kind) {
    case "plain":
      return "no";
    case "unknown":
      return isCalled(name) || isCalled(declaration.name) ? "named" : "maybe";
    case "object":
      return verdictOnMembers(declaration, wanted);
    case "class":
      if (wanted.kind === "class" && isCalled(declaration.name)) return "named";
      return verdictOnMembers(declaration, wanted);
    default:
      return wanted.kind === declaration.kind && isCalled(declaration.name) ? "named" : "no";
  }
}

function verdictOnMembers({ members, open }: Declaration, wanted: Wanted): Verdict {
  if (wanted.name !== "" && members.has(wanted.name)) return "named";
  // An anonymous function may be the value of any member.
  return open || (wanted.name === "" && members.size > 0) ? "maybe" : "no";
}
