/**
 * Reads the text of a module just well enough to know what it imports and what it exports, without running it.
 *
 * What it is: a tokenizer for JavaScript and TypeScript (comments, strings, templates, regular expressions, numbers, names) and
 * a reader of the statements at the top level. Everything else is skipped by counting brackets.
 *
 * Guarantees: it never throws and never runs anything. A name that it lists may be wrong (the far side checks name and source
 * again); what matters is the other direction, so whatever it does not understand is listed as `"unknown"` and the caller then
 * refuses nothing on its word.
 *
 * @module
 */

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

type TokenKind = "name" | "string" | "template" | "number" | "regexp" | "punctuator" | "end";

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** A line break stands before it. */
  readonly fresh: boolean;
}

const END: Token = { kind: "end", text: "", fresh: true };
const NAME = /[\p{ID_Start}$_#\\@][\p{ID_Continue}$\u200c\u200d\\{}]*/uy;
const PLAIN_NAME = /[A-Za-z$_#@][\w$]*/y;
const NUMBER =
  /(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*\.?[\d_]*(?:[eE][+-]?\d+)?|\.\d[\d_]*(?:[eE][+-]?\d+)?)n?/y;

/** After these words a `/` begins a regular expression, and an expression has not ended. */
const OPERATOR_WORDS = new Set(
  "return typeof instanceof in of new delete void throw case do else yield await extends default as satisfies"
    .split(" "),
);
const CONDITION_WORDS = new Set(["if", "while", "for", "with"]);
const NOTHING: ReadonlySet<string> = new Set();

class Tokenizer {
  readonly #text: string;
  #at = 0;
  #last: Token = END;
  /** For each open parenthesis: does it belong to `if`, `while`, `for` or `with`, after which a `/` begins an expression? */
  readonly #conditions: boolean[] = [];
  #closedCondition = false;

  constructor(text: string) {
    this.#text = text;
  }

  all(): Token[] {
    const tokens: Token[] = [];
    for (let token = this.#next(); token.kind !== "end"; token = this.#next()) {
      tokens.push(token);
      this.#last = token;
    }
    return tokens;
  }

  #next(): Token {
    const fresh = this.#skipBlank();
    const text = this.#text;
    const start = this.#at;
    if (start >= text.length) return END;
    const c = text.charCodeAt(start);
    if (c === 34 || c === 39) return this.#string(text[start], fresh);
    if (c === 96) {
      this.#template();
      return { kind: "template", text: text.slice(start, this.#at), fresh };
    }
    if ((c >= 48 && c <= 57) || (c === 46 && /\d/.test(text[start + 1] ?? ""))) {
      NUMBER.lastIndex = start;
      this.#at = start + (NUMBER.exec(text)?.[0].length ?? 1);
      return { kind: "number", text: text.slice(start, this.#at), fresh };
    }
    const name = this.#name();
    if (name !== undefined) return { kind: "name", text: name, fresh };
    if (c === 47 && this.#beginsExpression(fresh) && this.#regexp()) {
      return { kind: "regexp", text: text.slice(start, this.#at), fresh };
    }
    return { kind: "punctuator", text: this.#punctuator(), fresh };
  }

  /** Steps over blanks and comments; true when a line break was among them. */
  #skipBlank(): boolean {
    const text = this.#text;
    let fresh = this.#at === 0;
    if (fresh && text.startsWith("#!")) this.#at = lineEnd(text, 0);
    for (;;) {
      const c = text.charCodeAt(this.#at);
      if (c === 10 || c === 13 || c === 0x2028 || c === 0x2029) fresh = true;
      else if (c === 47 && text[this.#at + 1] === "/") {
        this.#at = lineEnd(text, this.#at);
        continue;
      } else if (c === 47 && text[this.#at + 1] === "*") {
        const end = text.indexOf("*/", this.#at + 2);
        const stop = end < 0 ? text.length : end + 2;
        if (text.slice(this.#at, stop).includes("\n")) fresh = true;
        this.#at = stop;
        continue;
      } else if (!(c === 32 || c === 9 || c === 11 || c === 12 || c === 0xa0 || c === 0xfeff)) {
        return fresh;
      }
      this.#at++;
    }
  }

  /** A quote that is not closed on its line (text between JSX tags) counts as a punctuator, so that only its line is misread. */
  #string(quote: string, fresh: boolean): Token {
    const text = this.#text;
    const start = this.#at;
    for (let i = start + 1; i < text.length; i++) {
      const c = text[i];
      if (c === quote) {
        this.#at = i + 1;
        return { kind: "string", text: unescape(text.slice(start + 1, i)), fresh };
      }
      if (c === "\\") {
        if (text[i + 1] === "\r" && text[i + 2] === "\n") i++;
        i++;
      } else if (c === "\n" || c === "\r") break;
    }
    this.#at = start + 1;
    return { kind: "punctuator", text: quote, fresh };
  }

  /** Steps over a template, the code inside its `${}` included. */
  #template(): void {
    const text = this.#text;
    this.#at++;
    while (this.#at < text.length) {
      const c = text[this.#at];
      if (c === "\\") this.#at += 2;
      else if (c === "`") {
        this.#at++;
        return;
      } else if (c === "$" && text[this.#at + 1] === "{") {
        this.#at += 2;
        const before = this.#last;
        this.#last = { kind: "punctuator", text: "{", fresh: false };
        for (let depth = 1; depth > 0;) {
          const token = this.#next();
          if (token.kind === "end") return;
          if (token.kind === "punctuator" && token.text === "{") depth++;
          if (token.kind === "punctuator" && token.text === "}") depth--;
          this.#last = token;
        }
        this.#last = before;
      } else this.#at++;
    }
  }

  #name(): string | undefined {
    const start = this.#at;
    PLAIN_NAME.lastIndex = start;
    let found = PLAIN_NAME.exec(this.#text)?.[0];
    const after = this.#text.charCodeAt(start + (found?.length ?? 0));
    if (after === 92 || after > 127) {
      NAME.lastIndex = start;
      // Braces are legal in a name only in an escape, \u{61}.
      const long = NAME.exec(this.#text)?.[0].match(
        /^(?:[^\\{}]|\\u\{[\da-fA-F]+\}|\\u[\da-fA-F]{4})+/u,
      )?.[0];
      if (long !== undefined) found = long;
    }
    if (found === undefined) return undefined;
    this.#at = start + found.length;
    return found.includes("\\") ? unescape(found) : found;
  }

  /** Whether a `/` here would begin a regular expression rather than divide. */
  #beginsExpression(fresh: boolean): boolean {
    const { kind, text } = this.#last;
    if (kind === "end") return true;
    if (kind === "name") return OPERATOR_WORDS.has(text);
    if (kind !== "punctuator") return false;
    if (text === ")") return this.#closedCondition;
    if (text === "}") return fresh;
    return text !== "]" && text !== "++" && text !== "--";
  }

  #regexp(): boolean {
    const text = this.#text;
    let inClass = false;
    for (let i = this.#at + 1; i < text.length; i++) {
      const c = text[i];
      if (c === "\n" || c === "\r") return false;
      if (c === "\\") i++;
      else if (c === "[") inClass = true;
      else if (c === "]") inClass = false;
      else if (c === "/" && !inClass) {
        i++;
        while (/[a-z]/.test(text[i] ?? "")) i++;
        this.#at = i;
        return true;
      }
    }
    return false;
  }

  #punctuator(): string {
    const text = this.#text;
    const start = this.#at;
    const c = text[start];
    if (c === "(") {
      this.#conditions.push(this.#last.kind === "name" && CONDITION_WORDS.has(this.#last.text));
    } else if (c === ")") this.#closedCondition = this.#conditions.pop() ?? false;
    const two = text.slice(start, start + 2);
    const long = text.startsWith("...", start)
      ? "..."
      : two === "=>" || two === "==" || two === "++" || two === "--" || two === "!=" ||
          two === "<=" || two === ">="
      ? two
      : String.fromCodePoint(text.codePointAt(start)!);
    this.#at = start + long.length;
    return long;
  }
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
}

/** The value of the escapes that occur in specifiers and names. */
function unescape(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(
    /\\(?:u\{([\da-fA-F]+)\}|u([\da-fA-F]{4})|x([\da-fA-F]{2})|(\r\n|[^]))/g,
    (_, braced, four, two, one) => {
      const hex = braced ?? four ?? two;
      if (hex !== undefined) {
        const point = parseInt(hex, 16);
        return point > 0x10ffff ? "" : String.fromCodePoint(point);
      }
      return one === "n" ? "\n" : one === "t" ? "\t" : /[\r\n]/.test(one) ? "" : one;
    },
  );
}

/** Reads what a module imports and exports from its text. Never throws. */
export function scanModule(text: string): ModuleScan {
  return new Scanner(new Tokenizer(text).all()).scan();
}

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
  #sound = true;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  scan(): ModuleScan {
    this.#everywhere();
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
      sound: this.#sound,
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

  /** What is looked for at every depth: `import("…")` and `.name =`. */
  #everywhere(): void {
    const tokens = this.#tokens;
    for (let i = 0; i < tokens.length; i++) {
      const { kind, text } = tokens[i];
      if (kind === "punctuator" && (text === "'" || text === '"')) this.#sound = false;
      if (kind === "punctuator" && text === "." && tokens[i + 2]?.text === "=") {
        this.#assigned.add(tokens[i + 1].text);
      }
      if (
        kind === "name" && text === "import" && tokens[i + 1]?.text === "(" &&
        tokens[i - 1]?.text !== "." && tokens[i + 2]?.kind === "string"
      ) {
        this.#imports.push({
          specifier: tokens[i + 2].text,
          names: [],
          whole: true,
          dynamic: true,
        });
      }
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
    const end = this.#bracketEnd();
    for (; this.#at < end; this.#at++) {
      const token = this.#peek();
      if (token.kind === "name" && !this.#is(":", 1)) names.push(token.text);
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
