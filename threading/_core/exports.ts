/**
 * Reads the text of a module just well enough to know what it imports and what it exports, without running it.
 *
 * What it is: a reader of the statements at the top level. Everything else is skipped by counting brackets.
 *
 * Guarantees: it never throws and never runs anything. A name that it lists may be wrong (the far side checks name and source
 * again); what matters is the other direction, so whatever it does not understand is listed as `"unknown"` and the caller then
 * refuses nothing on its word.
 *
 * @module
 */

import { END, OPERATOR_WORDS, type Token, tokenize } from "./tokens.ts";

/** What stands behind a name at the top level of a module, as far as its text tells. */
export type DeclarationKind =
  /** `function f` or `= function`. */
  | "function"
  | "class"
  /** `= (…) => …`. */
  | "arrow"
  /** An object literal: its functions are one level down. */
  | "object"
  /** A number, a string, an array, an enum: no function can be found there. */
  | "plain"
  /** A call, another name, a destructuring, a `let` without a value. */
  | "unknown";

/** One name at the top level. */
export interface Declaration {
  readonly kind: DeclarationKind;
  /** The `name` property that the function or class has. */
  readonly name: string;
  /** Names that may be members of the class or object: a superset. */
  readonly members: ReadonlySet<string>;
  /** The class or object has members that the text does not name (spread, computed). */
  readonly open: boolean;
}

/** One exported name. */
export interface Exported {
  readonly name: string;
  /** The variable at the top level that it exports; `undefined` for `export default` of an expression. */
  readonly local: string | undefined;
  /** `undefined` when it comes from another module. */
  readonly declaration: Declaration | undefined;
  /** The name in the module that it comes from, when it is passed on. */
  readonly imported: string | undefined;
}

/** One `import`, `export … from` or literal `import("…")`. */
export interface Imported {
  readonly specifier: string;
  /** The names it takes over there. */
  readonly names: readonly string[];
  /** The whole module is at hand: `import * as`, `export *`, `import()`. */
  readonly whole: boolean;
  /** The module is loaded only when and if this line runs. */
  readonly dynamic: boolean;
}

/** What {@linkcode scanModule} found. */
export interface ModuleScan {
  readonly exports: readonly Exported[];
  readonly imports: readonly Imported[];
  readonly declarations: ReadonlyMap<string, Declaration>;
  /** Property names that something is assigned to, as in `work.helper = …`. */
  readonly assigned: ReadonlySet<string>;
  /** Brackets or quotes did not add up, or an `export` stood inside some: there may be exports that are not listed. */
  readonly sound: boolean;
}

const NOTHING: ReadonlySet<string> = new Set();

/** Reads what a module imports and exports from its text. Never throws. */
export function scanModule(text: string): ModuleScan {
  return new Scanner(text).scan();
}

const DYNAMIC_IMPORT = /(?<![.\w$])import\s*\(\s*(["'])([^"'\\\n]+)\1/g;
const COMMON_JS = /\b(?:module\s*\.\s*)?exports\s*[.[=]/;
const ASSIGNMENT = /\.\s*([\w$\u0080-\uffff]+)\s*=(?![=>])/g;
const PLAIN: Declaration = { kind: "plain", name: "", members: NOTHING, open: false };
const OPEN = new Set(["(", "[", "{"]);
const CLOSE = new Set([")", "]", "}"]);
const PLAIN_WORDS = new Set(["true", "false", "null", "undefined", "NaN", "Infinity"]);

class Scanner {
  readonly #tokens: Token[];
  #at = 0;
  readonly #exports: Exported[] = [];
  /** `export { local as name }`: settled at the end, when every declaration is known. */
  readonly #listed: { name: string; local: string }[] = [];
  readonly #imports: Imported[] = [];
  /** Local name of an import → its name over there. */
  readonly #bound = new Map<string, string>();
  readonly #declarations = new Map<string, Declaration>();
  readonly #assigned = new Set<string>();
  #sound: boolean;
  readonly #isCommonJs: boolean;

  constructor(text: string) {
    const { tokens, sound } = tokenize(text);
    this.#tokens = tokens;
    this.#sound = sound;
    this.#everywhere(text);
    this.#isCommonJs = COMMON_JS.test(text);
  }

  scan(): ModuleScan {
    for (let depth = 0; this.#at < this.#tokens.length;) {
      const token = this.#peek();
      if (token.kind === "punctuator") {
        if (OPEN.has(token.text)) depth++;
        else if (CLOSE.has(token.text) && --depth < 0) {
          depth = 0;
          this.#sound = false;
        }
        this.#at++;
        if (depth > 0 && this.#at === this.#tokens.length) this.#sound = false;
      } else if (depth === 0 && token.kind === "name" && this.#before().text !== ".") {
        this.#statement(token.text);
      } else {
        if (token.fresh && token.text === "export") this.#sound = false;
        this.#at++;
      }
    }
    for (const { name, local } of this.#listed) {
      const declaration = this.#declarations.get(local);
      const imported = this.#bound.get(local);
      this.#exports.push({
        name,
        local,
        declaration: declaration ?? (imported === undefined ? unknownAs(local) : undefined),
        imported: declaration === undefined ? imported : undefined,
      });
    }
    return {
      exports: this.#exports,
      imports: this.#imports,
      declarations: this.#declarations,
      assigned: this.#assigned,
      // What a CommonJS module exports is decided while it runs.
      sound: this.#sound && !(this.#isCommonJs && this.#exports.length === 0),
    };
  }

  #peek(ahead = 0): Token {
    return this.#tokens[this.#at + ahead] ?? END;
  }

  #before(): Token {
    return this.#tokens[this.#at - 1] ?? END;
  }

  #take(): Token {
    return this.#tokens[this.#at++] ?? END;
  }

  #is(text: string, ahead = 0): boolean {
    const token = this.#peek(ahead);
    return token.text === text && (token.kind === "name" || token.kind === "punctuator");
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#at++;
    return true;
  }

  /** What is looked for at every depth, and does no harm when it stands in a comment. */
  #everywhere(text: string): void {
    for (const [, name] of text.matchAll(ASSIGNMENT)) this.#assigned.add(name);
    for (const [, , specifier] of text.matchAll(DYNAMIC_IMPORT)) {
      this.#imports.push({ specifier, names: [], whole: true, dynamic: true });
    }
  }

  #statement(word: string): void {
    if (word === "import") this.#import();
    else if (word === "export") this.#export();
    else if (!this.#declaration(undefined)) this.#at++;
  }

  #import(): void {
    this.#at++;
    if (this.#peek().kind === "string") {
      this.#imports.push({ specifier: this.#take().text, names: [], whole: false, dynamic: false });
      return;
    }
    if (this.#is("(") || this.#is(".")) return;
    // `import type X from`, `import type { X }`, `import type * as X`; yet `import type from "x"` imports a value.
    const types = this.#is("type") && !this.#is("from", 1) && !this.#is(",", 1) &&
      !this.#is("=", 1);
    if (types) this.#at++;
    const names: string[] = [];
    let whole = false;
    for (let i = 0; this.#peek().kind !== "end" && i < 4; i++) {
      if (this.#accept("*")) {
        this.#accept("as");
        this.#bound.set(this.#take().text, "*");
        whole = true;
      } else if (this.#is("{")) {
        for (const [imported, local] of this.#braces()) {
          names.push(imported);
          this.#bound.set(local, imported);
        }
      } else if (
        this.#peek().kind === "name" && !(this.#is("from") && this.#peek(1).kind === "string")
      ) {
        names.push("default");
        this.#bound.set(this.#take().text, "default");
      }
      if (!this.#accept(",")) break;
    }
    if (!this.#accept("from") || this.#peek().kind !== "string") return;
    const specifier = this.#take().text;
    if (!types && (whole || names.length > 0)) {
      this.#imports.push({ specifier, names, whole, dynamic: false });
    }
  }

  /** `{ a, b as c, "d" as e, type F }` → pairs; what is marked as a type is left out. */
  #braces(): [string, string][] {
    const pairs: [string, string][] = [];
    this.#at++;
    while (this.#peek().kind !== "end" && !this.#accept("}")) {
      const words: string[] = [];
      while (this.#peek().kind !== "end" && !this.#is(",") && !this.#is("}")) {
        words.push(this.#take().text);
      }
      this.#accept(",");
      // `type X`, `type X as Y` are types; `type`, `type as Y` are values named "type".
      const isType = words[0] === "type" && words.length > 1 &&
        !(words[1] === "as" && words.length === 3);
      if (words.length > 0 && !isType) pairs.push([words[0], words[words.length - 1]]);
    }
    return pairs;
  }

  #export(): void {
    this.#at++;
    if (this.#is("type") && (this.#is("{", 1) || this.#is("*", 1))) {
      this.#at++;
      if (this.#is("{")) this.#braces();
      return;
    }
    if (this.#accept("*")) {
      let name: string | undefined;
      if (this.#accept("as")) name = this.#take().text;
      if (!this.#accept("from") || this.#peek().kind !== "string") return;
      if (name !== undefined) {
        this.#exports.push({ name, local: undefined, declaration: undefined, imported: "*" });
      }
      this.#imports.push({ specifier: this.#take().text, names: [], whole: true, dynamic: false });
      return;
    }
    if (this.#is("{")) {
      const pairs = this.#braces();
      if (this.#is("from") && this.#peek(1).kind === "string") {
        this.#at++;
        const specifier = this.#take().text;
        for (const [imported, name] of pairs) {
          this.#exports.push({ name, local: undefined, declaration: undefined, imported });
        }
        if (pairs.length > 0) {
          const names = pairs.map(([imported]) => imported);
          this.#imports.push({ specifier, names, whole: false, dynamic: false });
        }
      } else {
        for (const [local, name] of pairs) this.#listed.push({ name, local });
      }
      return;
    }
    if (this.#accept("default")) return this.#default();
    if (this.#is("import") || this.#is("=")) {
      this.#exports.push({
        name: this.#peek(1).text,
        local: this.#peek(1).text,
        declaration: unknownAs(""),
        imported: undefined,
      });
      this.#at++;
      return;
    }
    if (!this.#declaration((name) => this.#listed.push({ name, local: name }))) this.#at++;
  }

  #default(): void {
    if (this.#is("abstract")) this.#at++;
    if (this.#is("interface")) return;
    const token = this.#peek();
    if (token.kind === "name" && token.text !== "function" && token.text !== "class") {
      const next = this.#peek(1);
      const alone = next.kind === "end" || next.text === ";" || next.fresh;
      if (alone && !PLAIN_WORDS.has(token.text)) {
        this.#at++;
        this.#listed.push({ name: "default", local: token.text });
        return;
      }
    }
    const isDeclaration = this.#is("function") || this.#is("class") ||
      (this.#is("async") && this.#is("function", 1));
    const declaration = this.#value("default", !isDeclaration);
    const local = isDeclaration && declaration.name !== "default" ? declaration.name : undefined;
    this.#exports.push({ name: "default", local, declaration, imported: undefined });
    if (local !== undefined) this.#declarations.set(local, declaration);
  }

  /** Reads a declaration when there is one here; `exported` hears each name it declares. */
  #declaration(exported: ((name: string) => void) | undefined): boolean {
    const declare = (name: string, declaration: Declaration) => {
      this.#declarations.set(name, declaration);
      exported?.(name);
    };
    while (this.#peek().text.startsWith("@") && this.#peek().kind === "name") this.#decorator();
    if (this.#is("export")) {
      // A decorator may stand before `export class`.
      this.#export();
      return true;
    }
    if (this.#is("declare") && this.#peek(1).kind === "name" && !this.#peek(1).fresh) {
      this.#at += 2;
      return true;
    }
    if (this.#is("abstract") && this.#is("class", 1)) this.#at++;
    if (
      this.#is("function") || this.#is("class") || (this.#is("async") && this.#is("function", 1))
    ) {
      const declaration = this.#value("", false);
      if (declaration.name !== "") declare(declaration.name, declaration);
      return true;
    }
    if ((this.#is("const") && this.#is("enum", 1)) || this.#is("enum")) {
      this.#at += this.#is("enum") ? 1 : 2;
      declare(this.#take().text, PLAIN);
      return true;
    }
    if ((this.#is("namespace") || this.#is("module")) && this.#peek(1).kind === "name") {
      this.#at++;
      declare(this.#take().text, unknownAs(""));
      return true;
    }
    if (
      (this.#is("type") || this.#is("interface")) && this.#peek(1).kind === "name" &&
      !this.#peek(1).fresh
    ) {
      this.#at += 2;
      return true;
    }
    const isUsing = this.#is("using") && this.#peek(1).kind === "name" && !this.#peek(1).fresh;
    if (this.#is("const") || this.#is("let") || this.#is("var") || isUsing) {
      this.#at++;
      this.#declarators(declare);
      return true;
    }
    return false;
  }

  #decorator(): void {
    this.#at++;
    while (this.#accept(".")) this.#at++;
    if (this.#is("(")) this.#skipBrackets();
  }

  #declarators(declare: (name: string, declaration: Declaration) => void): void {
    do {
      if (this.#is("{") || this.#is("[")) {
        for (const name of this.#pattern()) declare(name, unknownAs(name));
        this.#skipExpression();
        continue;
      }
      const token = this.#peek();
      const next = this.#peek(1);
      if (token.kind !== "name") {
        // `<T,>(x: T) => x`: nor here.
        this.#skipExpression();
        continue;
      }
      // `Map<string, number>`: the comma was not between declarators.
      const isName = next.kind === "end" || next.fresh || /^[=:!,;]$/.test(next.text);
      this.#at++;
      if (!isName) {
        this.#skipExpression();
        continue;
      }
      this.#accept("!");
      if (this.#accept(":")) this.#skipType();
      if (this.#accept("=")) {
        declare(token.text, this.#value(token.text, true));
      } else declare(token.text, unknownAs(token.text));
      this.#skipExpression();
    } while (this.#accept(","));
  }

  /** The names that a destructuring binds; a superset (defaults and keys may be among them). */
  #pattern(): string[] {
    const names: string[] = [];
    const start = this.#at;
    const end = this.#bracketEnd();
    for (; this.#at < end; this.#at++) {
      const token = this.#peek();
      if (token.kind === "name" && !this.#is(":", 1)) names.push(token.text);
      // What a pattern inside the pattern binds is not among the tokens.
      if (this.#at > start && OPEN.has(token.text)) this.#sound = false;
    }
    return names;
  }

  /** Steps over a type annotation, up to the `=` that begins the value. */
  #skipType(): void {
    for (let first = true;; first = false) {
      const token = this.#peek();
      if (token.kind === "end" || (token.kind === "punctuator" && /^[=,;)\]}]$/.test(token.text))) {
        // A comma inside `Map<string, number>` is no end, but only `=` tells; look whether one closes the angle first.
        if (token.text === "," && this.#insideAngles()) {
          this.#at++;
          continue;
        }
        return;
      }
      if (!first && this.#endsByLine()) return;
      if (OPEN.has(token.text) && token.kind === "punctuator") this.#skipBrackets();
      else this.#at++;
    }
  }

  /** Whether more `<` than `>` stand between the last `:` and here. */
  #insideAngles(): boolean {
    let depth = 0;
    for (let i = this.#at - 1; i >= 0 && this.#at - i < 200; i--) {
      const text = this.#tokens[i].text;
      if (text === "<") depth++;
      else if (text === ">") depth--;
      else if (text === ";" || text === "=" || text === "const" || text === "let") break;
    }
    return depth > 0;
  }

  /** Reads the beginning of a value and says what it is. `name` is the one that an anonymous function gets. */
  #value(name: string, isExpression: boolean): Declaration {
    const token = this.#peek();
    if (this.#is("async") && this.#is("function", 1) && !this.#peek(1).fresh) this.#at++;
    if (this.#accept("function")) {
      this.#accept("*");
      const own = this.#peek().kind === "name" ? this.#take().text : name;
      if (isExpression) {
        this.#skipUntil("(");
        this.#skipBrackets();
        this.#skipUntil("{");
        while (this.#is("{")) this.#skipBrackets();
        if (!this.#endsHere()) return unknownAs(name);
      }
      return { kind: "function", name: own, members: NOTHING, open: false };
    }
    if (this.#accept("class")) {
      const declaration = this.#class(name);
      return isExpression && !this.#endsHere() ? unknownAs(name) : declaration;
    }
    if (token.kind === "punctuator" && token.text === "{") {
      const { members, open } = this.#members();
      return this.#endsHere() ? { kind: "object", name: "", members, open } : unknownAs(name);
    }
    if (this.#beginsArrow()) return { kind: "arrow", name, members: NOTHING, open: false };
    const isLiteral = token.kind === "string" || token.kind === "number" ||
      token.kind === "regexp" || (token.kind === "name" && PLAIN_WORDS.has(token.text));
    if (isLiteral) {
      this.#at++;
      return this.#endsHere() ? PLAIN : unknownAs(name);
    }
    if (token.kind === "template") {
      this.#at++;
      return this.#endsHere() ? PLAIN : unknownAs(name);
    }
    if (token.kind === "punctuator" && (token.text === "[" || token.text === "-")) {
      if (token.text === "[") this.#skipBrackets();
      else this.#at += 2;
      return this.#endsHere() ? PLAIN : unknownAs(name);
    }
    return unknownAs(name);
  }

  /** Whether the value just read stands alone (`as const` and `satisfies X` add nothing to it). */
  #endsHere(): boolean {
    const token = this.#peek();
    if (token.kind === "end" || token.text === ";" || token.text === ",") return true;
    return this.#is("as") || this.#is("satisfies") || this.#endsByLine();
  }

  #beginsArrow(): boolean {
    let ahead = this.#is("async") && !this.#is("=>", 1) && !this.#peek(1).fresh ? 1 : 0;
    const token = this.#peek(ahead);
    if (token.kind === "name") return this.#is("=>", ahead + 1);
    // `<T>(x: T) => x`: the type parameters come first.
    if (this.#is("<", ahead)) {
      for (let angles = 0; this.#peek(ahead).kind !== "end"; ahead++) {
        if (this.#is("<", ahead)) angles++;
        else if (this.#is(">", ahead) && --angles === 0) break;
      }
      ahead++;
    }
    if (!this.#is("(", ahead)) return false;
    for (let depth = 0; this.#peek(ahead).kind !== "end"; ahead++) {
      const { kind, text } = this.#peek(ahead);
      if (kind !== "punctuator") continue;
      if (OPEN.has(text)) depth++;
      else if (CLOSE.has(text) && --depth === 0) {
        return this.#is("=>", ahead + 1) || this.#is(":", ahead + 1);
      }
    }
    return false;
  }

  #class(name: string): Declaration {
    let own = name;
    if (
      this.#peek().kind === "name" && !this.#is("extends") && !this.#is("implements")
    ) own = this.#take().text;
    let angles = 0;
    while (this.#peek().kind !== "end" && !(this.#is("{") && angles <= 0)) {
      if (this.#is("<")) angles++;
      else if (this.#is(">")) angles--;
      if (this.#is("(") || this.#is("{") || this.#is("[")) this.#skipBrackets();
      else this.#at++;
    }
    return { kind: "class", name: own, ...this.#statics() };
  }

  /** The names directly inside the braces that begin here, and whether there may be more. Steps behind them. */
  #members(): { members: ReadonlySet<string>; open: boolean } {
    const members = new Set<string>();
    let open = false;
    const end = this.#bracketEnd();
    for (let depth = 0; this.#at < end; this.#at++) {
      const { kind, text } = this.#peek();
      if (kind === "punctuator") {
        if (depth === 1 && (text === "..." || (text === "[" && !this.#isType()))) open = true;
        if (OPEN.has(text)) depth++;
        else if (CLOSE.has(text)) depth--;
      } else if (depth === 1 && (kind === "name" || kind === "string" || kind === "number")) {
        members.add(text);
      }
    }
    return { members, open };
  }

  /** The same for a class body, of which only static members count. */
  #statics(): { members: ReadonlySet<string>; open: boolean } {
    const members = new Set<string>();
    let open = false;
    const end = this.#bracketEnd();
    for (let depth = 0; this.#at < end; this.#at++) {
      const { kind, text } = this.#peek();
      if (kind === "punctuator") {
        if (OPEN.has(text)) depth++;
        else if (CLOSE.has(text)) depth--;
      } else if (depth === 1 && kind === "name" && text === "static") {
        // `static async *name`: all that stands between the word and the first bracket or sign.
        let ahead = 1;
        while (this.#peek(ahead).kind !== "punctuator" || this.#is("*", ahead)) {
          if (this.#peek(ahead).kind === "end") break;
          members.add(this.#peek(ahead++).text);
        }
        // A computed name, or a block that may do anything.
        if (this.#is("[", ahead) || this.#is("{", ahead)) open = true;
      }
    }
    return { members, open };
  }

  /** `[` after a name, as in `items: T[]` or `a[0]`, opens no computed member. */
  #isType(): boolean {
    const before = this.#before();
    return before.kind === "name" && before.text !== "async" &&
        before.text !== "get" && before.text !== "set" ||
      before.text === ":" || before.text === "=" ||
      before.text === "]" || before.text === ")";
  }

  /** Index behind the bracket that closes the one here. */
  #bracketEnd(): number {
    let depth = 0;
    for (let i = this.#at; i < this.#tokens.length; i++) {
      const { kind, text } = this.#tokens[i];
      if (kind !== "punctuator") continue;
      if (OPEN.has(text)) depth++;
      else if (CLOSE.has(text) && --depth <= 0) return i + 1;
    }
    this.#sound = false;
    return this.#tokens.length;
  }

  #skipUntil(bracket: string): void {
    while (this.#peek().kind !== "end" && !this.#is(bracket)) this.#at++;
  }

  #skipBrackets(): void {
    this.#at = Math.max(this.#bracketEnd(), this.#at + 1);
  }

  /** Steps to the `,` or the end of the statement. */
  #skipExpression(): void {
    while (this.#peek().kind !== "end") {
      const { kind, text } = this.#peek();
      if (kind === "punctuator" && (text === "," || text === ";" || CLOSE.has(text))) return;
      if (this.#endsByLine()) return;
      if (kind === "punctuator" && OPEN.has(text)) this.#skipBrackets();
      else this.#at++;
    }
  }

  /** A line break ends the statement when the token before it can end an expression and the one behind it cannot go on. */
  #endsByLine(): boolean {
    const token = this.#peek();
    if (!token.fresh) return false;
    if (token.kind === "punctuator" || token.kind === "template" || token.kind === "regexp") {
      return false;
    }
    if (token.kind === "name" && /^(?:instanceof|in|of|as|satisfies)$/.test(token.text)) {
      return false;
    }
    const before = this.#before();
    if (before.kind === "punctuator") {
      return CLOSE.has(before.text) || /^(?:\+\+|--|>)$/.test(before.text);
    }
    return !(before.kind === "name" && OPERATOR_WORDS.has(before.text));
  }
}

function unknownAs(name: string): Declaration {
  return { kind: "unknown", name, members: NOTHING, open: true };
}
