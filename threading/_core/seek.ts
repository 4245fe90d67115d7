/**
 * The search for the module and the export of a function, in layers from cheap to dear.
 *
 * The modules are looked at in rounds: first those on the caller's stack and the main module, then what they import, then what
 * those import. In each round:
 *
 * 1. The text of a module tells whether it can have the function at all (its name and the way it is written), without running
 *    anything. Where just one module is named in this way, by a caller's own exports or by its imports, that settles it: the
 *    far side compares the source text.
 * 2. Its namespace, where it can be had, settles it by identity. Only modules whose text has the name are asked beyond the first
 *    round before step 3, because `require()` would evaluate a module that was imported for its types only.
 * 3. The engine tells where the function was written and which variables hold it, if `sys` permission is granted. Asked once.
 * 4. Then the namespaces of the modules whose text left a doubt.
 *
 * What is left after all rounds are modules that may have it and could not be looked into (being evaluated, awaiting at the top
 * level, on the network): the far side decides. If there is none, the function is refused.
 *
 * @module
 */

import { callers, isOurs } from "./call_site.ts";
import { PicklingError } from "./errors.ts";
import type { ModuleScan } from "./exports.ts";
import { type Origin, originOf } from "./inspector.ts";
import { isWarm, namespaceOf, offersOf, resolveSpecifier, scanOf } from "./namespaces.ts";
import { type Verdict, verdictOf, verdictOn, type Wanted } from "./wanted.ts";

/** A function, class or exported object as data. */
export type Reference =
  /** Identity was verified: `["work"]`, `["default"]`, `["Job", "run"]`. */
  | { readonly how: "export"; readonly module: string; readonly path: readonly string[] }
  /** Named by `task(import.meta, fn)`. */
  | { readonly how: "task"; readonly module: string; readonly name: string }
  /** The far side decides by name and source text. */
  | {
    readonly how: "search";
    readonly modules: readonly string[];
    readonly name: string;
    readonly source: string;
  };

/** How many modules are looked at; a limit for programs whose graph is huge. */
const MODULE_LIMIT = 500;

/** Why nothing was found: what a message needs to know. */
export interface Miss {
  /** The module in which the function was written, or else the one that called. */
  readonly module: string | undefined;
  readonly origin: Origin | undefined;
  /** It stands at the top level of the module, and is not exported. */
  readonly isPrivate: boolean;
  /** The text of the module may not be read, so what it imports is not known. */
  readonly isBlind: boolean;
}

/** One search. Made for one function, used once. */
export class Seeker {
  readonly #wanted: Wanted;
  readonly #start: readonly string[];
  /** How far from the caller each module is: the main module is nearest, then the rest of the stack, then imports. */
  readonly #ranks = new Map<string, number>();
  /** Their text has the name, and they could not be looked into. */
  #named: string[] = [];
  /** They may have it, and could not be looked into. */
  #doubtful: string[] = [];
  #origin: Origin | undefined;
  #askedEngine = false;

  constructor(wanted: Wanted, door: unknown) {
    this.#wanted = wanted;
    this.#start = callers(door);
    this.#start.forEach((url, at) => this.#ranks.set(url, -at));
  }

  /** The reference, or `undefined` when no module can have it. */
  seek(): Reference | undefined {
    let round: readonly string[] = this.#start;
    for (let depth = 0; round.length > 0; depth++) {
      const reference = depth === 0 ? this.#firstRound(round) : this.#laterRound(round);
      if (reference !== undefined) return reference;
      if (depth > 0 && this.#named.length > 0) break;
      round = this.#importsOf(round, depth);
    }
    const reference = this.#askEngine();
    if (reference !== undefined) return reference;
    return this.#search(this.#named) ?? this.#search(this.#doubtful);
  }

  /** After {@linkcode seek} found nothing. */
  miss(): Miss {
    const module = this.#origin?.url || this.#start[0];
    const { name } = this.#wanted;
    const isPrivate = !this.#origin?.closure &&
      this.#start.concat(module ?? []).some((url) => {
        const scan = scanOf(url);
        return scan?.declarations.has(name) && !scan.exports.some(({ local }) => local === name);
      });
    const isBlind = module?.startsWith("file:") === true && scanOf(module) === undefined;
    return { module, origin: this.#origin, isPrivate, isBlind };
  }

  #firstRound(round: readonly string[]): Reference | undefined {
    const plain = this.#plainModule(round);
    if (plain !== undefined) {
      // Before anything woke `process` this is the whole cost: one or two files read, no 15 ms.
      const reference = isWarm() ? this.#export(plain) : undefined;
      if (reference !== undefined) return reference;
      if (!isWarm() || namespaceOf(plain) === undefined) return this.#search([plain]);
    }
    const { named, maybe } = this.#sort(round);
    return this.#lookInto(named, this.#named) ?? this.#lookInto(maybe, this.#doubtful);
  }

  #laterRound(round: readonly string[]): Reference | undefined {
    const { named, maybe } = this.#sort(round);
    return this.#lookInto(named, this.#named) ?? this.#askEngine() ??
      this.#lookInto(maybe, this.#doubtful);
  }

  #sort(round: readonly string[]): { named: string[]; maybe: string[] } {
    const sorted: Record<Verdict, string[]> = { named: [], maybe: [], no: [] };
    for (const url of round) sorted[this.#verdict(url)].push(url);
    return sorted;
  }

  #verdict(url: string): Verdict {
    const scan = scanOf(url);
    if (scan !== undefined) return verdictOf(scan, this.#wanted);
    return url.startsWith("node:") ? "named" : "maybe";
  }

  /** By identity. The modules that could not be looked into are added to `undecided`. */
  #lookInto(urls: readonly string[], undecided: string[]): Reference | undefined {
    for (const url of urls) {
      const reference = this.#export(url);
      if (reference !== undefined) return reference;
      if (namespaceOf(url) === undefined) undecided.push(url);
    }
    return undefined;
  }

  #export(url: string): Reference | undefined {
    const namespace = namespaceOf(url);
    if (namespace === undefined) return undefined;
    for (const { path, value } of offersOf(namespace)) {
      if (value === this.#wanted.value) return { how: "export", module: url, path };
    }
    return undefined;
  }

  /**
   * The one module that the callers' texts name: a caller that exports the name, or one that a caller imports the name from.
   * `undefined` when that is not plain: none, several, or an import of which the text does not tell.
   */
  #plainModule(callers: readonly string[]): string | undefined {
    const { name } = this.#wanted;
    const found = new Set<string>();
    for (const url of callers) {
      const scan = scanOf(url);
      if (scan === undefined) continue;
      if (verdictOf(scan, this.#wanted) === "named") found.add(url);
      for (const { specifier, names, whole } of scan.imports) {
        if (!whole && !names.includes(name)) continue;
        const other = resolveSpecifier(specifier, url);
        if (other === undefined) continue;
        // The runtime's modules, and those of this library, are hardly meant by a name alone.
        if (!names.includes(name) && (isOurs(other) || other.startsWith("node:"))) continue;
        const verdict = this.#verdict(other);
        if (verdict === "maybe" && names.includes(name)) return undefined;
        if (verdict === "named") found.add(other);
      }
    }
    return found.size === 1 ? [...found][0] : undefined;
  }

  /** The modules that these import and nobody has looked at. */
  #importsOf(round: readonly string[], depth: number): string[] {
    const next: string[] = [];
    for (const from of round) {
      for (const { specifier, names, dynamic } of scanOf(from)?.imports ?? []) {
        if (this.#ranks.size >= MODULE_LIMIT) return next;
        const url = resolveSpecifier(specifier, from);
        if (url === undefined || this.#ranks.has(url)) continue;
        const scan = scanOf(url);
        if (dynamic) {
          // It may not be loaded, and must not be loaded just to look: the far side decides, if the name fits.
          if (scan === undefined || verdictOf(scan, this.#wanted) !== "named") continue;
          this.#ranks.set(url, depth + 1);
          this.#named.push(url);
          continue;
        }
        if (scan === undefined) {
          // What cannot be read is followed only from the caller itself, and of this library only by name.
          if (depth > 0 || (isOurs(url) && !names.includes(this.#wanted.name))) continue;
        } else if (
          verdictOf(scan, this.#wanted) !== "named" && mayBeElided(names, scan, this.#wanted)
        ) {
          continue;
        }
        this.#ranks.set(url, depth + 1);
        next.push(url);
      }
    }
    return next;
  }

  /** Step 3. Narrows down what is undecided; a reference when the engine knows the very export. */
  #askEngine(): Reference | undefined {
    if (this.#askedEngine || typeof this.#wanted.value !== "function") return undefined;
    this.#askedEngine = true;
    const origin = originOf(this.#wanted.value);
    if (origin === undefined) return undefined;
    this.#origin = origin;
    const { url, bindings, inModule } = origin;
    if (url === "" || /^(?:ext|internal):/.test(url)) {
      // Code from a string, or the runtime's own: only a module that passes it on can have it.
      this.#doubtful = [];
      return undefined;
    }
    const reference = this.#export(url);
    if (reference !== undefined) return reference;
    const scan = scanOf(url);
    if (scan === undefined) return this.#search([url]);
    for (const [local, ...rest] of bindings) {
      const entry = scan.exports.find((entry) => entry.local === local);
      if (entry !== undefined) return { how: "export", module: url, path: [entry.name, ...rest] };
    }
    // The value of `export default expression` is held by no variable that the engine shows.
    const isHidden = !inModule || !scan.sound ||
      scan.exports.some((entry) =>
        entry.local === undefined && verdictOn(entry, this.#wanted) !== "no"
      );
    if (isHidden) return this.#search([url]);
    // It was written there and is not exported there. A module that imports that one may still offer it, as in
    // `export const work = memoize(…)`; a module that it imports cannot.
    const rank = this.#ranks.get(url) ?? Infinity;
    const mayPassOn = (other: string) => other !== url && this.#ranks.get(other)! < rank;
    this.#named = this.#named.filter(mayPassOn);
    this.#doubtful = this.#doubtful.filter(mayPassOn);
    return undefined;
  }

  #search(modules: readonly string[]): Reference | undefined {
    if (modules.length === 0) return undefined;
    const { name, source } = this.#wanted;
    return { how: "search", modules: [...modules], name, source };
  }
}

/**
 * Whether the import may be one of types, which is removed before the module runs: all that it names are types, or classes
 * that do not have the wanted thing. Looking into such a module could evaluate it.
 */
function mayBeElided(names: readonly string[], scan: ModuleScan, wanted: Wanted): boolean {
  if (names.length === 0 || !scan.sound) return false;
  return names.every((name) => {
    const entry = scan.exports.find((entry) => entry.name === name);
    if (entry === undefined) return !scan.imports.some(({ whole, dynamic }) => whole && !dynamic);
    return entry.declaration?.kind === "class" && verdictOn(entry, wanted) === "no";
  });
}

/** The error for a function that no module has. */
export function refusal(wanted: Wanted, what: string, miss: Miss): PicklingError {
  const { module, origin, isPrivate, isBlind } = miss;
  const label = wanted.label;
  const where = module ?? "a module that could be looked into";
  const begin = `Cannot ${what} ${label}: `;
  if (origin?.url === "") {
    return new PicklingError(
      `${begin}it was made from a string by eval() or new Function(), which cannot travel; write it in a module and export it`,
    );
  }
  if (origin !== undefined && /^(?:ext|internal):/.test(origin.url)) {
    return new PicklingError(
      `${begin}it belongs to the runtime and to no module; export a function that calls it`,
    );
  }
  const mend = wanted.name === ""
    ? "give it a name and export it"
    : "export it, or name it with task(import.meta, fn)";
  if (origin?.closure) {
    return new PicklingError(
      `${begin}it is a closure (it uses variables of the function or block around it) and is not exported from ${where}; ` +
        `closures cannot travel: move it to the top level, pass what it needs as arguments, and ${mend}`,
    );
  }
  if (isPrivate) {
    return new PicklingError(
      `${begin}it is not exported from ${where}; private functions cannot travel: ${mend}`,
    );
  }
  if (wanted.isMethod) {
    return new PicklingError(
      `${begin}it is a method and is not exported from ${where}; methods cannot travel: ` +
        `make it a static method of an exported class, or export a function that calls it`,
    );
  }
  return new PicklingError(
    `${begin}it is not exported from ${where}; closures and private functions cannot travel: ${mend}${
      isBlind
        ? "; if it is imported from another module, allow reading the file with --allow-read"
        : ""
    }`,
  );
}
