/** What a player saw, as recordings spell it, with the real ids, dates and numbers. */
import { BaseRuntime } from "runtime-bridge/legacy";

/** What recordings write for undefined. */
export const UNDEFINED = "<undefined>";

export interface Observation {
  /** The step in which it was seen. */
  readonly at: number;
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** Spells a value as recordings do; `nameOf` knows the objects that they show by a name. */
export const spelled = (value: unknown, nameOf: (object: object) => string | undefined): unknown => {
  if (value === undefined) return UNDEFINED;
  if (typeof value === "function") return "<function>";
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "<invalid date>" : value.toISOString();
  if (value instanceof BaseRuntime) return value.metadata.id;
  const name = nameOf(value);
  if (name !== undefined) return name;
  if (Array.isArray(value)) return value.map((item) => spelled(item, nameOf));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, spelled(member, nameOf)]));
};

/** The text by which a recording shows what was thrown, and whether it was no `Error`. */
export const thrown = (error: unknown): { message: string; nonError?: true } =>
  error instanceof Error ? { message: error.message } : { message: String(error), nonError: true };

/** What a call threw: recordings of calls name the class of an error, too, where it is a special one. */
export const thrownByCall = (error: unknown): { message: string; nonError?: true; errorName?: string } =>
  error instanceof Error && error.name !== "Error" ? { ...thrown(error), errorName: error.name } : thrown(error);
