/**
 * Opens, fills, reads and closes notebook stores, on the LiveStore that this host has installed.
 *
 * The caller sets `NODE_ENV`: outside production LiveStore hashes the result of every materialiser.
 */
import { randomUUID } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { open, pendingCount, shutDown } from "#livestore";
import { Schema, type Store as LiveStore } from "@livestore/livestore";
import { type schema, tables as tableDefs } from "./schema.js";

export { follow, LIVESTORE, pendingCount, shutDown, unsynced } from "#livestore";
// What a host hands to the bridge besides the store; it must come from the very LiveStore that made the store.
export { queryDb, Schema } from "@livestore/livestore";

export type Store = LiveStore<typeof schema>;

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** An event as the log spells it: dates are ISO-8601 strings. */
export interface EncodedEvent {
  readonly name: string;
  readonly args: JsonObject;
}

export interface StoreOptions {
  /** The notebook id: LiveStore takes ASCII letters, digits, `_` and `-`. */
  readonly storeId: string;
  /** Unique by default. LiveStore's own default, the host name, is the same for every client of a machine. */
  readonly clientId?: string;
  /** Where the store is kept, in a folder named after its id; in memory by default. */
  readonly directory?: string;
  /** The port of the sync server that the store shares its notebook through; it keeps it to itself by default. */
  readonly syncPort?: number;
}

/** The same with its defaults, as the LiveStore modules take it. */
export interface OpenOptions extends StoreOptions {
  readonly clientId: string;
}

/** An event's place in the log, and that of the event which it follows. */
export interface Link {
  readonly at: number;
  readonly after: number;
}

export const linkOf = (event: { seqNum: { global: number }; parentSeqNum: { global: number } }): Link => ({
  at: event.seqNum.global,
  after: event.parentSeqNum.global,
});

/** The tables that a trace records, in its order. */
export const TABLE_NAMES = [
  "runtimeSessions",
  "executionQueue",
  "cells",
  "outputs",
  "outputDeltas",
  "pendingClears",
  "presence",
] as const;

/** The rows of a store as the traces record them, in the order of their insertion. */
export type TableDump = Readonly<Record<(typeof TABLE_NAMES)[number], readonly JsonObject[]>>;

/**
 * The leader takes an event over in a millisecond or two. One second without any progress means that it never will:
 * a store whose materialiser has failed once keeps all later events to itself.
 */
const DRAIN_STALL_MS = 1000;

/** Opens a store: an empty one in memory, or what is in its directory. */
export const openStore = ({ clientId = `client-${randomUUID()}`, ...options }: StoreOptions): Promise<Store> =>
  open({ ...options, clientId });

/** Where a store is kept, as LiveStore's adapter takes it. */
export const storageOf = ({ directory }: StoreOptions): { type: "in-memory" } | { type: "fs"; baseDirectory: string } =>
  directory === undefined ? { type: "in-memory" } : { type: "fs", baseDirectory: directory };

/** Resolves when the leader has taken over every committed event, and with that the store has nothing left to do. */
export const drain = async (store: Store): Promise<void> => {
  let pending = pendingCount(store);
  let stalledSince_ms = performance.now();
  while (pending > 0) {
    await nextTurn();
    const before = pending;
    pending = pendingCount(store);
    if (pending !== before) stalledSince_ms = performance.now();
    else if (performance.now() - stalledSince_ms > DRAIN_STALL_MS) {
      throw new Error(`the store has lost its leader, events never taken over: \`${pending}\``);
    }
  }
};

/** Lets the leader take over every committed event, then shuts the store down, even where that has failed. */
export const closeStore = async (store: Store): Promise<void> => {
  try {
    await drain(store);
  } finally {
    await shutDown(store);
  }
};

const DATE_FIELDS: ReadonlySet<string> = new Set([
  "startedAt",
  "completedAt",
  "requestedAt",
  "respondedAt",
  "renewedAt",
]);

const decodeDates = (args: JsonObject): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(args).map(([key, value]) =>
      DATE_FIELDS.has(key) && typeof value === "string" ? [key, new Date(value)] : [key, value],
    ),
  );

// Names and fields are checked by the schema when LiveStore encodes the events.
type CommitPlain = (...events: readonly { name: string; args: Record<string, unknown> }[]) => void;

/** Commits events spelled as in the log, in one transaction. */
export const commit = (store: Store, ...events: readonly EncodedEvent[]): void => {
  (store.commit as CommitPlain)(...events.map(({ name, args }) => ({ name, args: decodeDates(args) })));
};

/** As much of a LiveStore table definition as it takes to read its rows. */
interface TableShape {
  readonly sqliteDef: { readonly name: string };
  readonly rowSchema: Schema.Schema<any, any>;
}

const rowsOf = (store: Store, { sqliteDef, rowSchema }: TableShape): readonly JsonObject[] => {
  const query = `SELECT * FROM ${sqliteDef.name} ORDER BY rowid`;
  const decode = Schema.decodeUnknownSync(rowSchema);
  const rows = store.query<readonly unknown[]>({ query, bindValues: {} });
  // Decoding turns 0 and 1 into booleans and JSON text into values; stringifying turns dates into ISO strings.
  return rows.map((row) => JSON.parse(JSON.stringify(decode(row))) as JsonObject);
};

/** Reads the tables that the traces record. */
export const tables = (store: Store): TableDump =>
  Object.fromEntries(TABLE_NAMES.map((name) => [name, rowsOf(store, tableDefs[name])])) as TableDump;

/** Reads every table. */
export const allTables = (store: Store): Readonly<Record<string, readonly JsonObject[]>> =>
  Object.fromEntries(Object.entries(tableDefs).map(([name, table]) => [name, rowsOf(store, table)]));
