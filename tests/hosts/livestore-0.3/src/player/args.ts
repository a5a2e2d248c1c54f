/** The arguments of a step, read by type. */
import type { JsonObject, JsonValue } from "../store.js";
import { isObject, StepError } from "./trace.js";

/** Reads arguments; inputs such as `{"$store": "main"}` are expanded when they are read. */
export class Args {
  constructor(
    readonly raw: JsonObject,
    readonly expand: (value: JsonValue) => unknown,
  ) {}

  /** An argument of any type, expanded; undefined where it is not given. */
  value(name: string): unknown {
    const raw = this.raw[name];
    return raw === undefined ? undefined : this.expand(raw);
  }

  text(name: string, fallback?: string): string {
    const value = this.value(name) ?? fallback;
    return typeof value === "string" ? value : this.#mistyped(name, "a text");
  }

  optionalText(name: string): string | undefined {
    return this.raw[name] === undefined ? undefined : this.text(name);
  }

  number(name: string, fallback?: number): number {
    const value = this.value(name) ?? fallback;
    return typeof value === "number" ? value : this.#mistyped(name, "a number");
  }

  flag(name: string, fallback = false): boolean {
    const value = this.value(name) ?? fallback;
    return typeof value === "boolean" ? value : this.#mistyped(name, "true or false");
  }

  list(name: string): readonly unknown[] {
    const value = this.value(name) ?? [];
    return Array.isArray(value) ? value : this.#mistyped(name, "a list");
  }

  texts(name: string): readonly string[] {
    return this.list(name).map((item) => (typeof item === "string" ? item : this.#mistyped(name, "a list of texts")));
  }

  object(name: string): Record<string, unknown> | undefined {
    const raw = this.raw[name];
    if (raw === undefined) return undefined;
    return isObject(raw) ? (this.expand(raw) as Record<string, unknown>) : this.#mistyped(name, "an object");
  }

  #mistyped(name: string, expected: string): never {
    const found = this.raw[name] === undefined ? "is missing" : `is \`${JSON.stringify(this.raw[name])}\``;
    throw new StepError(`argument \`${name}\` ${found}`, `it has to be ${expected}`);
  }
}
