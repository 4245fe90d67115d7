/**
 * Cuts the text of a JavaScript or TypeScript module into tokens, as far as its top level is concerned.
 *
 * Guarantees: never throws, and ends on any text. Tokens are given at the top level and one bracket deep (import lists, class
 * bodies, object literals, parameters); what lies deeper, and the body of a function, is stepped over by looking only at
 * quotes, comments, regular expressions and brackets. That is what makes the first use cheap: most of a module is bodies.
 *
 * Where it may have lost the way (a `/` taken for the wrong thing, text between JSX tags), `sound` is false.
 *
 * @module
 */

/** A piece of the text. */
export interface Token {
  readonly kind: "name" | "string" | "template" | "number" | "regexp" | "punctuator" | "end";
  /** Of a string its value, of a bracket the bracket. */
  readonly text: string;
  /** A line break stands before it. */
  readonly fresh: boolean;
}

/** What stands behind the last token. */
export const END: Token = { kind: "end", text: "", fresh: true };

/** After these words a `/` begins a regular expression, and an expression has not ended. */
export const OPERATOR_WORDS: ReadonlySet<string> = new Set(
  "return typeof instanceof in of new delete void throw case do else yield await extends default as satisfies"
    .split(" "),
);
const CONDITION_WORDS = new Set(["if", "while", "for", "with"]);

// All sticky: matched where the text has been read to.
const BLANK = /(?:\s+|\/\/.*|\/\*[^]*?\*\/)+/y;
const NAME = /[A-Za-z$_#@][\w$]*/y;
const ANY_NAME =
  /(?:[\p{ID_Start}$_#@]|\\u\{[\da-fA-F]+\}|\\u[\da-fA-F]{4})(?:[\p{ID_Continue}$\u200c\u200d]|\\u\{[\da-fA-F]+\}|\\u[\da-fA-F]{4})*/uy;
const NUMBER = /(?:0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)n?/y;
const STRING = /"(?:[^"\\\n\r]|\\(?:\r\n|[^]))*"|'(?:[^'\\\n\r]|\\(?:\r\n|[^]))*'/y;
const REGEXP = /\/(?:[^/\\[\n\r]|\\.|\[(?:[^\]\\\n\r]|\\.)*\])+\/[a-z]*/y;
const PUNCTUATOR = /\.\.\.|=>|[=!<>]=|\+\+|--|[^]/uy;
/** A brace behind one of these begins a type: `function f(): { a: 1 } | { b: 2 } {`, `class A extends B<{ a: 1 }> {`. */
const TYPE_SIGN = /^(?:[:|&<,=?]|is|extends)$/;
/** What matters to nobody inside a body. */
const INERT = /[^"'`/(){}[\]]+/y;
const INERT_TEXT = /[^`\\$]+/y;

/** Cuts the text into tokens. */
export function tokenize(text: string): { tokens: Token[]; sound: boolean } {
  return new Tokenizer(text).all();
}

class Tokenizer {
  readonly #text: string;
  #at = 0;
  #sound = true;
  /** For each open parenthesis: does it belong to `if`, `while`, `for` or `with`, after which a `/` begins an expression? */
  readonly #conditions: boolean[] = [];
  #closedCondition = false;
  /** Where the last blanks and comments stand: looking back, one must not read a comment as code. */
  #blank: [from: number, to: number] = [0, 0];

  constructor(text: string) {
    this.#text = text;
    if (text.startsWith("#!")) this.#at = text.indexOf("\n") < 0 ? text.length : text.indexOf("\n");
  }

  all(): { tokens: Token[]; sound: boolean } {
    const tokens: Token[] = [];
    let exports = 0;
    let head: "class" | "function" | undefined;
    for (let depth = 0, token = this.#next(); token.kind !== "end"; token = this.#next()) {
      const { kind, text, fresh } = token;
      if (kind === "name") {
        if (depth === 0 && (text === "class" || text === "function")) head = text;
        if (depth === 0 && text === "export" && fresh) exports++;
      } else if (kind === "punctuator") {
        if (text === "(" || text === "[" || text === "{") {
          const before = tokens[tokens.length - 1]?.text;
          const isType = before === undefined || TYPE_SIGN.test(before);
          const isBody = text === "{" && depth === 0 && head !== "class" &&
            (before === ")" || before === "=>" || (head === "function" && !isType));
          if (text === "{" && depth === 0 && !isType) head = undefined;
          if (++depth > 1 || isBody) this.#skipInside();
        } else if (text === ")" || text === "]" || text === "}") {
          if (--depth < 0) {
            depth = 0;
            this.#sound = false;
          }
        } else if (text === "'" || text === '"') this.#sound = false;
      }
      tokens.push(token);
    }
    // Whoever writes `export` at the very beginning of a line means it.
    const meant = this.#text.match(/^export\b/gm)?.length ?? 0;
    return { tokens, sound: this.#sound && meant <= exports };
  }

  #next(): Token {
    const start = this.#at;
    const text = this.#text;
    if (mayBeBlank(text.charCodeAt(start))) this.#skipBlank();
    const fresh = start === 0 || text.slice(start, this.#at).includes("\n");
    const c = text[this.#at];
    if (c === undefined) return END;
    if (c === '"' || c === "'") {
      const string = this.#take(STRING);
      if (string !== undefined) {
        return { kind: "string", text: unescape(string.slice(1, -1)), fresh };
      }
    } else if (c === "`") {
      this.#template();
      return { kind: "template", text: "", fresh };
    } else if (c === "/" && this.#beginsExpression()) {
      const regexp = this.#take(REGEXP);
      if (regexp !== undefined) return { kind: "regexp", text: regexp, fresh };
    } else if (c >= "0" && c <= "9" || c === "." && /\d/.test(text[this.#at + 1] ?? "")) {
      const number = this.#take(NUMBER);
      if (number !== undefined) return { kind: "number", text: number, fresh };
    } else {
      const name = this.#name();
      if (name !== undefined) return { kind: "name", text: name, fresh };
    }
    this.#note(c);
    const sign = this.#take(PUNCTUATOR) ?? c;
    // A comment that never ends.
    if (c === "/" && text[this.#at] === "*") {
      this.#at = text.length;
      this.#sound = false;
    }
    return { kind: "punctuator", text: sign, fresh };
  }

  /** Steps over what the pattern matches here, if it does. `test()` makes no match array, which is half the cost of a token. */
  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #skipBlank(): boolean {
    const from = this.#at;
    if (!this.#skip(BLANK)) return false;
    this.#blank = [from, this.#at];
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    const start = this.#at;
    return this.#skip(pattern) ? this.#text.slice(start, this.#at) : undefined;
  }

  #name(): string | undefined {
    const start = this.#at;
    const short = this.#take(NAME);
    const after = this.#text.charCodeAt(this.#at);
    if (after !== 92 && !(after > 127)) return short;
    this.#at = start;
    const long = this.#take(ANY_NAME);
    return long === undefined ? undefined : unescape(long);
  }

  /** Steps to the bracket that closes the one just read. */
  #skipInside(): void {
    const text = this.#text;
    for (let depth = 1;;) {
      this.#skip(INERT);
      const c = text[this.#at];
      if (c === undefined) {
        this.#sound = false;
        return;
      }
      if (c === "`") this.#template();
      else if (c === '"' || c === "'") {
        if (!this.#skip(STRING)) {
          this.#at++;
          this.#sound = false;
        }
      } else if (c === "/") {
        if (
          !this.#skipBlank() &&
          !(this.#beginsExpression() && this.#skip(REGEXP))
        ) {
          this.#at++;
        }
      } else {
        if (c === "(" || c === "[" || c === "{") depth++;
        else if (--depth === 0) return;
        this.#note(c);
        this.#at++;
      }
    }
  }

  /** Steps over a template, the code inside its `${}` included. */
  #template(): void {
    const text = this.#text;
    this.#at++;
    for (;;) {
      this.#skip(INERT_TEXT);
      const c = text[this.#at];
      if (c === undefined) {
        this.#sound = false;
        return;
      }
      this.#at += c === "\\" ? 2 : 1;
      if (c === "`") return;
      if (c === "$" && text[this.#at] === "{") {
        this.#at++;
        this.#skipInside();
        this.#at++;
      }
    }
  }

  /** Remembers what the parentheses belong to. */
  #note(c: string): void {
    if (c === "(") this.#conditions.push(this.#followsCondition());
    else if (c === ")") this.#closedCondition = this.#conditions.pop() ?? false;
  }

  #followsCondition(): boolean {
    const text = this.#text;
    let i = this.#at - 1;
    while (text.charCodeAt(i) <= 32) i--;
    // The last letters of if, while, for and with: most calls need no closer look.
    const c = text[i];
    return (c === "f" || c === "e" || c === "r" || c === "h") &&
      CONDITION_WORDS.has(this.#wordBefore(i + 1));
  }

  /** Whether a `/` here would begin a regular expression rather than divide. */
  #beginsExpression(): boolean {
    const text = this.#text;
    let i = this.#at - 1;
    let fresh = false;
    const [from, to] = this.#blank;
    if (to === this.#at) {
      fresh = text.slice(from, to).includes("\n");
      i = from - 1;
    }
    for (; i >= 0 && /\s/.test(text[i]); i--) if (text[i] === "\n") fresh = true;
    const c = text[i];
    if (c === undefined) return true;
    if (c === ")") return this.#closedCondition;
    if (c === "}") return fresh;
    if (c === "]" || c === '"' || c === "'" || c === "`") return false;
    if (c === "+" || c === "-") return text[i - 1] !== c;
    if (/[\w$\u0080-\uffff]/.test(c)) return OPERATOR_WORDS.has(this.#wordBefore(i + 1));
    return true;
  }

  #wordBefore(end: number): string {
    const text = this.#text;
    let from = end;
    while (from > 0 && /\s/.test(text[from - 1])) from--;
    const stop = from;
    while (from > 0 && /[\w$]/.test(text[from - 1])) from--;
    // `x.in / 2`
    return text[from - 1] === "." ? "" : text.slice(from, stop);
  }
}

/** A blank, a slash, or a character that needs a closer look. */
function mayBeBlank(code: number): boolean {
  return code <= 32 || code === 47 || code > 127;
}

/** The value of the escapes that occur in specifiers and names. */
function unescape(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(
    /\\(?:u\{([\da-fA-F]+)\}|u([\da-fA-F]{4})|x([\da-fA-F]{2})|(\r\n|[^]))/g,
    (_, braced, four, two, one) => {
      const hex = braced ?? four ?? two;
      if (hex === undefined) {
        return one === "n" ? "\n" : one === "t" ? "\t" : /[\r\n]/.test(one) ? "" : one;
      }
      const point = parseInt(hex, 16);
      return point > 0x10ffff ? "" : String.fromCodePoint(point);
    },
  );
}
