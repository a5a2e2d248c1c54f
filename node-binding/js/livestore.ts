/**
 * The LiveStore adapter: reads, commits and the live query, for stores of 0.3.1 and of 0.4. It decides nothing: what to read and
 * what to commit comes from the core. A store is the host's: it is never shut down here.
 *
 * @module
 */

import { addon } from "./internal/addon";
import { BridgeError, messageOf } from "./internal/errors";
import { attempt, done } from "./internal/perform";
import type { Answer, Statement, WireEvent } from "./internal/protocol";
import type { LiveStore } from "./types";

/** What {@link attach} takes of LiveStore: the two exports of `@livestore/livestore`, of the version that the store is of. */
export interface LiveStoreModule {
  queryDb: (query: never, options?: never) => unknown;
  Schema: { Any: unknown; Array(item: never): unknown; validateEither(schema: never): (value: never) => unknown };
}

/** The same, as the adapter calls it: LiveStore types these by schemas that the adapter does not know. */
interface UntypedModule {
  queryDb: (query: object, options: object) => unknown;
  Schema: { Any: unknown; Array(item: unknown): unknown; validateEither(schema: unknown): Validator };
}

type Validator = (value: unknown) => Either;

type Either = { _tag: "Right" } | { _tag: "Left"; left: Error };

/** An attached store. */
export interface Attachment {
  /** Takes the live query away; sessions that start after it are served by the old path. */
  detach(): void;
}

const modules = new WeakMap<object, UntypedModule>();

/**
 * Gives the bridge the live query of a store, which the new path needs. Without it every session on the store is served by the
 * old path.
 */
export function attach(store: LiveStore, livestore: LiveStoreModule): Attachment {
  const given = livestore as unknown as Partial<UntypedModule> | undefined;
  for (const name of ["commit", "query", "subscribe"] as const) {
    if (typeof (store as Partial<LiveStore> | undefined)?.[name] !== "function") {
      throw new BridgeError("NOT_A_STORE", `attach: the store has no method \`${name}\``, "pass the store that createStore gave");
    }
  }
  if (typeof given?.queryDb !== "function" || typeof given.Schema?.Array !== "function") {
    throw new BridgeError(
      "NOT_LIVESTORE",
      "attach: the second argument lacks `queryDb` or `Schema`",
      'import { queryDb, Schema } from "@livestore/livestore" and pass { queryDb, Schema }',
    );
  }
  const module = given as UntypedModule;
  modules.set(store, module);
  attached.add(new WeakRef(store));
  tellAttached(store, true);
  return {
    detach() {
      if (modules.get(store) !== module) return;
      modules.delete(store);
      tellAttached(store, false);
    },
  };
}

const attached = new Set<WeakRef<LiveStore>>();

/** Who wants to know of stores that are attached and detached; nobody in a host that has only loaded this module. */
let tellAttached: (store: LiveStore, isAttached: boolean) => void = () => undefined;

/** Tells of each store that is attached, from now on or already. */
export function onAttached(listener: (store: LiveStore, isAttached: boolean) => void): void {
  tellAttached = listener;
  forEachAttached((store) => listener(store, true));
}

/** Visits the stores that are attached. */
export function forEachAttached(visit: (store: LiveStore) => void): void {
  for (const ref of attached) {
    const store = ref.deref();
    if (store && modules.has(store)) visit(store);
    else attached.delete(ref);
  }
}

/** The notebook of an attached store, where the store says it. */
export function storeIdOf(store: LiveStore): string | null {
  const storeId = (store as { storeId?: unknown }).storeId;
  return typeof storeId === "string" ? storeId : null;
}

/** Whether the store has been attached. */
export function hasLiveQuery(store: LiveStore): boolean {
  return modules.has(store);
}

/** A live query that cannot be run is none, until the store is attached again. */
export function loseLiveQuery(store: LiveStore): void {
  modules.delete(store);
}

/** The notebook of a store: its `storeId`, or the id given to `start` where a store has none. */
export function notebookIdOf(store: LiveStore, fallback: string): string {
  return storeIdOf(store) ?? fallback;
}

/** The reply to a read is the JSON that the statement yields, handed on as text. */
export type RawReply = { raw: string; type: Statement["reply"] };

/** Reads from the store. */
export function read(store: LiveStore, { query, bindValues, reply }: Statement): RawReply {
  try {
    const rows = store.query({ query, bindValues }) as readonly { value: string }[];
    return { raw: rows[0]?.value ?? "null", type: reply };
  } catch (error) {
    throw isLost(store) ? lost(error) : error;
  }
}

/**
 * Commits in one transaction. On the legacy path a failing commit is what the old code saw: the store's own error, or none on
 * 0.4, which shuts itself down without a word. On the registry path events are checked first, because a bad one would cost the
 * store, and a store that takes commits without keeping them counts as lost.
 */
export function commit(store: LiveStore, path: "legacy" | "registry", events: readonly WireEvent[]): Answer {
  return attempt(() => {
    const decoded = events.map((event) => ({ name: event.name, args: withDates(event.args) }));
    if (path === "legacy") {
      store.commit(...decoded);
    } else {
      decoded.forEach((event) => validate(store, event));
      commitChecked(store, decoded);
    }
    return done;
  });
}

/** Commits what the host's own code made, as it made it. */
export function commitAsMade(store: LiveStore, made: readonly unknown[]): unknown {
  return store.commit(...made);
}

/** Commits once. What is thrown while the store goes on, by the host's own code around it, is passed on as it is. */
function commitChecked(store: LiveStore, events: readonly object[]): void {
  if (isLost(store)) throw lost();
  try {
    store.commit(...events);
  } catch (error) {
    if (isMaterialiserFailure(error)) wedged.add(store);
    if (isLost(store)) throw lost(error);
    throw error;
  }
  if (isLost(store)) throw lost();
}

function lost(cause?: unknown): BridgeError {
  const why = cause === undefined ? "the store keeps nothing any more" : `the store is lost: ${messageOf(cause)}`;
  return new BridgeError("STORE_LOST", why, "open the notebook's store again", { cause });
}

/** A row that the live query shows. */
interface WatchedRow {
  kind: "entry" | "session";
  id: string;
  cellId: string;
  executionCount: number;
  status: string;
  assignedRuntimeSession: string | null;
}

/** What changed since the last look: entries in request order, and the active sessions if they differ. */
export interface Changes {
  entries: Omit<WatchedRow, "kind">[];
  sessions: string[] | null;
}

/**
 * Watches the queue and the sessions. Changes are gathered in a microtask behind the commit that made them: a commit within
 * the store's own notification would fail.
 */
export function watch(store: LiveStore, onChanges: (changes: Changes) => void): () => void {
  const seen = new Map<string, string>();
  let sessionsSeen = "";
  return subscribeBehind(store, addon().watched(), (rows: readonly WatchedRow[]) => {
    const present = new Set<string>();
    const entries: Changes["entries"] = [];
    const sessions: string[] = [];
    for (const { kind, ...row } of rows) {
      if (kind === "session") {
        sessions.push(row.id);
        continue;
      }
      const standing = `${row.status} ${row.assignedRuntimeSession ?? ""}`;
      present.add(row.id);
      if (seen.get(row.id) !== standing) entries.push(row);
      seen.set(row.id, standing);
    }
    for (const id of seen.keys()) if (!present.has(id)) seen.delete(id);
    const sessionsNow = JSON.stringify(sessions);
    const changes = { entries, sessions: sessionsNow === sessionsSeen ? null : sessions };
    sessionsSeen = sessionsNow;
    if (entries.length > 0 || changes.sessions !== null) onChanges(changes);
  });
}

/** A row of the live query that follows agents elsewhere. */
type FollowedRow =
  | { kind: "session"; id: string; runtimeId: string; runtimeType: string }
  | { kind: "entry"; id: string; cellId: string; executionCount: number; status: string; assignedRuntimeSession: string | null };

/** The active sessions, and the entries that are not over, where those are asked for. */
export interface Elsewhere {
  sessions: { sessionId: string; runtimeId: string; runtimeType: string }[];
  entries: Omit<Extract<FollowedRow, { kind: "entry" }>, "kind">[] | null;
}

/** Follows what agents elsewhere do: tells what there is whenever it changes. */
export function follow(store: LiveStore, withEntries: boolean, onSeen: (seen: Elsewhere) => void): () => void {
  // A store that its host has closed shows nothing more.
  if (isLost(store)) return () => undefined;
  let last = "";
  return subscribeBehind(store, addon().followed(withEntries), (rows: readonly FollowedRow[]) => {
    const text = JSON.stringify(rows);
    if (text === last) return;
    last = text;
    const seen: Elsewhere = { sessions: [], entries: withEntries ? [] : null };
    for (const row of rows) {
      if (row.kind === "session") {
        seen.sessions.push({ sessionId: row.id, runtimeId: row.runtimeId, runtimeType: row.runtimeType });
      } else {
        const { id, cellId, executionCount, status, assignedRuntimeSession } = row;
        seen.entries?.push({ id, cellId, executionCount, status, assignedRuntimeSession });
      }
    }
    onSeen(seen);
  });
}

/** Runs a live query whose latest rows are told in a microtask behind the commit that made them. */
function subscribeBehind<R>(store: LiveStore, statement: string, onRows: (rows: readonly R[]) => void): () => void {
  const livestore = modules.get(store);
  if (!livestore) throw new BridgeError("NOT_ATTACHED", "the store has no live query", "call attach before the runtime starts");
  const { queryDb, Schema } = livestore;
  const { query, tables } = JSON.parse(statement) as { query: string; tables: string[] };
  const definition = queryDb(
    { query, bindValues: {}, schema: Schema.Array(Schema.Any), queriedTables: new Set(tables) },
    { label: "runtime-bridge" },
  );
  let latest: readonly R[] | null = null;
  let isOver = false;
  const flush = (): void => {
    const rows = latest;
    latest = null;
    if (!isOver && rows !== null) onRows(rows);
  };
  const unsubscribe = subscribe(store, definition, (rows: readonly R[]) => {
    if (latest === null) queueMicrotask(flush);
    latest = rows;
  });
  return () => {
    isOver = true;
    unsubscribe();
  };
}

const DATE_FIELDS: ReadonlySet<string> = new Set(["startedAt", "completedAt", "requestedAt", "respondedAt", "renewedAt"]);

/** LiveStore takes dates as `Date`. */
function withDates(args: Record<string, unknown>): Record<string, unknown> {
  const decoded = { ...args };
  for (const [name, value] of Object.entries(args)) {
    if (DATE_FIELDS.has(name) && typeof value === "string") decoded[name] = new Date(value);
  }
  return decoded;
}

/** Checks an event against the host's schema. */
function validate(store: LiveStore, event: { name: string; args: Record<string, unknown> }): void {
  const { schema } = store as { schema?: { eventsDefsMap?: ReadonlyMap<string, { schema: unknown }> } };
  const definitions = schema?.eventsDefsMap;
  const livestore = modules.get(store);
  if (!definitions || !livestore) return;
  const definition = definitions.get(event.name);
  const verdict = definition && validatorOf(livestore, definition)(event.args);
  if (!verdict) throw invalid(event.name, "the host's schema has no such event");
  if (verdict._tag === "Left") throw invalid(event.name, messageOf(verdict.left));
  const fraction = fractionIn(event.args);
  if (fraction) throw invalid(event.name, `\`${fraction}\` is no whole number`);
}

function invalid(name: string, reason: string): BridgeError {
  return new BridgeError("INVALID_EVENT", `${name}: ${reason}`, "use the schema whose events runtime-bridge documents");
}

/** Numbers of the schema whose columns take whole ones only: the database would refuse a fraction, and the store be lost. */
const INTEGER_FIELDS = ["executionCount", "executionDurationMs", "sequenceNumber"] as const;

function fractionIn(args: Record<string, unknown>): string | undefined {
  return INTEGER_FIELDS.find((name) => typeof args[name] === "number" && !Number.isInteger(args[name]));
}

const validators = new WeakMap<object, Validator>();

/** Making a validator costs a thousand times what using it does. */
function validatorOf(livestore: UntypedModule, definition: { schema: unknown }): Validator {
  const known = validators.get(definition);
  if (known) return known;
  const validator = livestore.Schema.validateEither(definition.schema);
  validators.set(definition, validator);
  return validator;
}

/** Each version silently ignores the other's way of giving the callback. */
function subscribe<R>(store: LiveStore, definition: unknown, onRows: (rows: R) => void): () => void {
  return isOf04(store) ? store.subscribe(definition, onRows) : store.subscribe(definition, { onUpdate: onRows });
}

/** The method is new in 0.4. */
function isOf04(store: LiveStore): boolean {
  return typeof (store as { shutdownPromise?: unknown }).shutdownPromise === "function";
}

/** Stores of 0.3.1 whose materialiser has failed: they show later events, but never hand them on to be kept. */
const wedged = new WeakSet<LiveStore>();

/** 0.4 says so itself when it is shut down; 0.3.1 only shows its closed scope, and does not notice that it is wedged. */
function isLost(store: LiveStore): boolean {
  const internals = (store as unknown as Record<symbol, { isShutdown?: boolean } | undefined>)[
    Symbol.for("livestore.StoreInternals")
  ];
  const { effectContext } = store as { effectContext?: { lifetimeScope?: { state?: { _tag?: string } } } };
  return internals?.isShutdown === true || effectContext?.lifetimeScope?.state?._tag === "Closed" || wedged.has(store);
}

/** What 0.3.1 throws where the database refuses what a materialiser wants; 0.4 throws nothing then. */
function isMaterialiserFailure(error: unknown): boolean {
  return (error as { _tag?: unknown } | null | undefined)?._tag === "LiveStore.UnexpectedError";
}
