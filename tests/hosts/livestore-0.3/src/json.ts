/**
 * A JSON parser that remembers where each value stands, so that an error about a value can name its line.
 *
 * It accepts what Jupyter writes: JSON, and Python's `NaN`, `Infinity` and `-Infinity`. Unlike `JSON.parse` it
 * refuses an object that has a key twice, because one of the two values would be lost without a word.
 */

export type JsonNode =
  | { readonly kind: "object"; readonly offset: number; readonly members: ReadonlyMap<string, JsonNode> }
  | { readonly kind: "array"; readonly offset: number; readonly items: readonly JsonNode[] }
  | { readonly kind: "string"; readonly offset: number; readonly value: string }
  | { readonly kind: "number"; readonly offset: number; readonly value: number }
  | { readonly kind: "boolean"; readonly offset: number; readonly value: boolean }
  | { readonly kind: "null"; readonly offset: number };

/** What is wrong, and where: `offset` counts UTF-16 units from the start of the text. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";

  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

export interface Place {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters (code points), as editors count. */
  readonly column: number;
}

export const placeOf = (text: string, offset: number): Place => {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: [...before.slice(lineStart)].length + 1 };
};

/** Jupyter nests a handful of levels; past this, the parser's own recursion would be the next thing to fail. */
const DEPTH_LIMIT = 200;

const WHITESPACE = /[ \t\r\n]*/y;
const UNESCAPED = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y;
const WORD = /-?[A-Za-z]+/y;

class Parser {
  #offset = 0;

  constructor(readonly text: string) {}

  document(): JsonNode {
    const node = this.#value(0);
    this.#skipWhitespace();
    if (this.#offset < this.text.length) this.#fail("unexpected text after the end of the document");
    return node;
  }

  #value(depth: number): JsonNode {
    if (depth > DEPTH_LIMIT) this.#fail(`nested deeper than \`${DEPTH_LIMIT}\``);
    this.#skipWhitespace();
    switch (this.text[this.#offset]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return { kind: "string", offset: this.#offset, value: this.#string() };
      default:
        return this.#scalar();
    }
  }

  #object(depth: number): JsonNode {
    const offset = this.#offset;
    const members = new Map<string, JsonNode>();
    this.#items("}", () => {
      const keyOffset = this.#offset;
      if (this.text[keyOffset] !== '"') this.#fail("expected a key in double quotes");
      const key = this.#string();
      if (members.has(key)) throw new JsonSyntaxError(`duplicate key \`${key}\``, keyOffset);
      this.#skipWhitespace();
      if (!this.#take(":")) this.#fail(`expected a colon after the key \`${key}\``);
      members.set(key, this.#value(depth + 1));
    });
    return { kind: "object", offset, members };
  }

  #array(depth: number): JsonNode {
    const offset = this.#offset;
    const items: JsonNode[] = [];
    this.#items("]", () => items.push(this.#value(depth + 1)));
    return { kind: "array", offset, items };
  }

  /** The comma-separated inside of brackets, from the opening one to the closing one. */
  #items(close: "}" | "]", item: () => void): void {
    this.#offset += 1;
    this.#skipWhitespace();
    if (this.#take(close)) return;
    for (;;) {
      this.#skipWhitespace();
      item();
      this.#skipWhitespace();
      if (this.#take(close)) return;
      if (!this.#take(",")) this.#fail(`expected a comma or \`${close}\``);
    }
  }

  #string(): string {
    const offset = this.#offset;
    this.#offset += 1;
    // One pattern for the whole string would overflow the stack on a picture with escaped line breaks.
    for (this.#match(UNESCAPED); this.#take("\\"); this.#match(UNESCAPED)) this.#offset += 1;
    if (!this.#take('"')) this.#fail("unterminated string");
    try {
      return JSON.parse(this.text.slice(offset, this.#offset)) as string;
    } catch {
      throw new JsonSyntaxError("invalid escape in a string", offset);
    }
  }

  #scalar(): JsonNode {
    const offset = this.#offset;
    const number = this.#match(NUMBER);
    if (number !== undefined) return { kind: "number", offset, value: Number(number) };
    const word = this.#match(WORD);
    switch (word) {
      case "true":
      case "false":
        return { kind: "boolean", offset, value: word === "true" };
      case "null":
        return { kind: "null", offset };
      case "NaN":
      case "Infinity":
      case "-Infinity":
        return { kind: "number", offset, value: Number(word) };
      default:
        this.#offset = offset;
        return this.#fail("expected a value");
    }
  }

  #skipWhitespace(): void {
    this.#match(WHITESPACE);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#offset += found.length;
    return found;
  }

  #take(character: string): boolean {
    if (this.text[this.#offset] !== character) return false;
    this.#offset += 1;
    return true;
  }

  #fail(message: string): never {
    const atEnd = this.#offset >= this.text.length;
    throw new JsonSyntaxError(atEnd ? `${message}, found the end of the file` : message, this.#offset);
  }
}

export const parseJson = (text: string): JsonNode => new Parser(text).document();
