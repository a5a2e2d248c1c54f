/**
 * Shows a host every event committed to one of its stores, whoever commits it.
 *
 * It listens at `store.commit` itself and trusts nobody's account of what was committed.
 */
import { Schema } from "@livestore/livestore";
import type { EncodedEvent, JsonObject, JsonValue, Store } from "./store.js";

export interface RecordedEvent extends EncodedEvent {
  /** What the committing code passed and the schema strips; absent when it strips nothing. */
  readonly dropped?: JsonObject;
}

/**
 * Called once a commit, with its events in order, just before the commit takes effect. What it throws reaches the
 * committing code, and nothing is committed: that is how a player injects faults.
 */
export type CommitObserver = (events: readonly RecordedEvent[]) => void;

interface PlainEvent {
  readonly name: string;
  readonly args: unknown;
}

const isEvent = (value: unknown): value is PlainEvent =>
  typeof value === "object" && value !== null && "name" in value && "args" in value;

const toJson = (value: unknown): JsonValue => JSON.parse(JSON.stringify(value ?? null)) as JsonValue;

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** The part of `passed` whose keys are missing in `kept`, or undefined where there is none. */
const strippedFrom = (passed: Record<string, unknown>, kept: Record<string, unknown>): JsonObject | undefined => {
  const stripped: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(passed)) {
    if (value === undefined) continue;
    const keptValue = kept[key];
    if (!Object.hasOwn(kept, key)) {
      stripped[key] = toJson(value);
    } else if (isPlainObject(value) && isPlainObject(keptValue)) {
      const inner = strippedFrom(value, keptValue);
      if (inner !== undefined) stripped[key] = inner;
    }
  }
  return Object.keys(stripped).length === 0 ? undefined : stripped;
};

/** Undefined for an event that the schema refuses: LiveStore is about to throw, so there is nothing to record. */
const encode = (store: Store, { name, args }: PlainEvent): RecordedEvent | undefined => {
  const eventDef = store.schema.eventsDefsMap.get(name);
  if (eventDef === undefined || !isPlainObject(args)) return undefined;
  const encoded = Schema.encodeUnknownEither(eventDef.schema)(args);
  if (encoded._tag === "Left") return undefined;
  const kept = toJson(encoded.right) as JsonObject;
  const dropped = strippedFrom(args, kept);
  return dropped === undefined ? { name, args: kept } : { name, args: kept, dropped };
};

/** Observes every commit of `store` until the returned function is called. */
export const recordCommits = (store: Store, observe: CommitObserver): (() => void) => {
  const original = store.commit as (...args: readonly unknown[]) => void;
  const recording = (...args: readonly unknown[]): void => {
    // The first argument may be LiveStore's commit options.
    const recorded = args.filter(isEvent).map((event) => encode(store, event));
    if (recorded.length > 0 && recorded.every((event) => event !== undefined)) observe(recorded);
    return original(...args);
  };
  store.commit = recording as Store["commit"];
  return () => {
    // Somebody who wrapped the store after us still calls `recording`; leave their wrapper in place.
    if (store.commit === recording) store.commit = original as Store["commit"];
    else observe = () => undefined;
  };
};
