import type { Addon } from "./addon";
import type { Attributes } from "./bridge";

/** Stands for a question without attributes, at any time. */
const BARE = 0;

/**
 * The attributes that the addon was told last, by name and value in their order: a question about the same ones crosses as its
 * number, and one that differs in a value crosses as that value. The number is the addon's, which no longer knows it once
 * somebody else has asked.
 */
let question = BARE;
let names: string[] = [];
let values: unknown[] = [];
/** How many there are; -1 where they cannot be compared, so that no number of attributes is theirs. */
let count = -1;

/** The number that stands for these attributes. */
export function questionOf(native: Addon, attributes: Attributes | undefined): number {
  if (attributes === undefined) return BARE;
  let position = 0;
  for (const name in attributes) {
    if (position >= count || names[position] !== name || !Object.hasOwn(attributes, name)) return ask(native, attributes);
    const value = attributes[name];
    if (values[position] !== value && !vary(native, position, value)) return ask(native, attributes);
    position += 1;
  }
  return position === count ? question : ask(native, attributes);
}

/** Tells the addon all of them, as JSON. */
export function ask(native: Addon, attributes: Attributes): number {
  // Whatever throws in between, nothing is taken for told.
  count = -1;
  const asked = { ...attributes };
  question = native.ask(JSON.stringify(asked));
  names = Object.keys(asked);
  values = Object.values(asked);
  if (values.every(isPlain)) count = names.length;
  return question;
}

/** Tells the addon another value of one of them; false where it has to be told all. */
function vary(native: Addon, position: number, value: unknown): boolean {
  if (!canVary(value) || !native.vary(question, names[position] as string, value)) return false;
  values[position] = value;
  return true;
}

/** JSON has it as it is, and it stays what it is. */
function isPlain(value: unknown): boolean {
  return value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

/** Whole numbers beyond 2^53 are other numbers in JSON, which rounds them to what is short to write. */
function canVary(value: unknown): value is string | number | boolean {
  if (typeof value === "number") return Math.abs(value) <= Number.MAX_SAFE_INTEGER;
  return typeof value === "string" || typeof value === "boolean";
}
