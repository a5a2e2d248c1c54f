/**
 * Replays the events of recorded traces into a store of our own schema and compares the rows, and each event with
 * what our recorder makes of it.
 *
 * It proves that the schema is the recorded product's: same columns, defaults and materialiser rules, and the same
 * keys kept and stripped.
 * Usage: `node build/check-traces.js [folder of traces]`, exit code 1 when a trace differs.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { recordCommits, type RecordedEvent } from "./eventRecorder.js";
import { closeStore, commit, openStore, TABLE_NAMES, tables } from "./store.js";
import type { EncodedEvent, JsonObject, JsonValue, Store } from "./store.js";

interface Setup {
  readonly cells?: readonly { id: string; cellType?: string; source?: JsonValue; position?: number }[];
  readonly sessions?: readonly { sessionId: string; runtimeId?: string; runtimeType?: string; status?: string }[];
  readonly queue?: readonly {
    queueId: string;
    cellId: string;
    executionCount?: number;
    requestedBy?: string;
    assignTo?: string;
  }[];
  readonly events?: readonly EncodedEvent[];
}

interface Observation extends JsonObject {
  readonly kind: string;
}

interface EventObservation extends RecordedEvent {
  readonly at: number;
  readonly seq: number;
}

interface Trace {
  readonly scenario: string;
  readonly setup: Setup;
  readonly observations: readonly Observation[];
  readonly tables?: JsonObject | null;
}

const DEFAULT_FOLDER = fileURLToPath(new URL("../../../traces/", import.meta.url));

// Placeholders stand for values of the recording. Each is committed as a value that no code produces, and found
// again in the rows by that value.
const TIME = "2001-02-03T04:05:06.789Z";
const DURATION_MS = 987_654_321;
const LONG_PREFIX = "$long:";
/** Longer strings are recorded by their length and hash. */
const LONG_UTF16_UNITS = 2000;
const DURATION_KEYS = new Set(["executionDurationMs", "lastExecutionDurationMs"]);

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const mapValues = (value: JsonValue, key: string, map: (value: JsonValue, key: string) => JsonValue): JsonValue => {
  const mapped = map(value, key);
  if (Array.isArray(mapped)) return mapped.map((item: JsonValue) => mapValues(item, key, map));
  if (isObject(mapped) && mapped["$long"] === undefined) {
    return Object.fromEntries(Object.entries(mapped).map(([k, v]) => [k, mapValues(v, k, map)]));
  }
  return mapped;
};

/** Setup inputs may ask for repeated text or for the bytes of a picture. */
const expandInput = (value: JsonValue): JsonValue => {
  if (!isObject(value)) return value;
  const repeat = value["$repeat"];
  if (isObject(repeat)) return String(repeat["text"]).repeat(Number(repeat["times"]));
  return value;
};

const toCommittable = (event: EncodedEvent): EncodedEvent => {
  const args = mapValues(event.args, "", (value, key) => {
    if (value === "<time>" && key.endsWith("At") && key !== "uploadedAt") return TIME;
    if (value === "<ms>" && DURATION_KEYS.has(key)) return DURATION_MS;
    if (isObject(value) && value["$long"] !== undefined) return LONG_PREFIX + JSON.stringify(value);
    return expandInput(value);
  });
  return { name: event.name, args: args as JsonObject };
};

const longString = (text: string): JsonValue => ({
  $long: {
    utf16: text.length,
    bytes: Buffer.byteLength(text),
    sha256: createHash("sha256").update(text).digest("hex"),
  },
});

const toRecorded = (value: JsonValue): JsonValue =>
  mapValues(value, "", (value, key) => {
    if (value === TIME) return "<time>";
    if (value === DURATION_MS && DURATION_KEYS.has(key)) return "<ms>";
    if (typeof value !== "string") return value;
    if (value.startsWith(LONG_PREFIX)) return JSON.parse(value.slice(LONG_PREFIX.length)) as JsonValue;
    return value.length > LONG_UTF16_UNITS ? longString(value) : value;
  });

/** The events by which the recorder filled a store before its first step. */
const setupEvents = ({ cells = [], sessions = [], queue = [], events = [] }: Setup): EncodedEvent[] => [
  ...cells.flatMap(({ id, cellType = "code", source = "", position = 0 }) => [
    { name: "v2.CellCreated", args: { id, fractionalIndex: `a${position}`, cellType, createdBy: "user-1" } },
    { name: "v1.CellSourceChanged", args: { id, source, modifiedBy: "user-1" } },
  ]),
  ...sessions.flatMap(({ sessionId, runtimeId = `rt-${sessionId}`, runtimeType = "python3", status = "ready" }) => [
    {
      name: "v1.RuntimeSessionStarted",
      args: {
        sessionId,
        runtimeId,
        runtimeType,
        capabilities: { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false },
      },
    },
    ...(status === "starting" ? [] : [{ name: "v1.RuntimeSessionStatusChanged", args: { sessionId, status } }]),
  ]),
  ...queue.flatMap(({ queueId, cellId, executionCount = 1, requestedBy = "user-1", assignTo }) => [
    { name: "v1.ExecutionRequested", args: { queueId, cellId, executionCount, requestedBy } },
    ...(assignTo === undefined
      ? []
      : [{ name: "v1.ExecutionAssigned", args: { queueId, runtimeSessionId: assignTo } }]),
  ]),
  ...events,
];

const difference = (ours: JsonValue, recorded: JsonValue): string | undefined => {
  if (!isObject(ours) || !isObject(recorded)) return "no tables";
  for (const name of TABLE_NAMES) {
    if (!isDeepStrictEqual(ours[name], recorded[name])) {
      return `${name}\n    recorded ${JSON.stringify(recorded[name])}\n    ours     ${JSON.stringify(ours[name])}`;
    }
  }
  return undefined;
};

/** What the recorded code passed to the store: what the log kept, and what the schema stripped from it. */
const merge = (kept: JsonObject, dropped: JsonObject = {}): JsonObject => {
  const merged: Record<string, JsonValue> = { ...kept };
  for (const [key, value] of Object.entries(dropped)) {
    const inner = merged[key];
    merged[key] = isObject(inner) && isObject(value) ? merge(inner, value) : value;
  }
  return merged;
};

/** Replays one trace; returns every event and the first table of each dump that differ. */
const replay = (store: Store, trace: Trace): string[] => {
  const differences: string[] = [];
  const compareTables = (where: string, recorded: JsonValue) => {
    const found = difference(toRecorded(tables(store)), recorded);
    if (found !== undefined) differences.push(`${where}: ${found}`);
  };
  let seen: readonly RecordedEvent[] = [];
  const replayEvent = ({ seq, name, args, dropped }: EventObservation) => {
    commit(store, toCommittable({ name, args: merge(args, dropped) }));
    const ours = toRecorded(seen as unknown as JsonValue);
    const recorded = [dropped === undefined ? { name, args } : { name, args, dropped }];
    if (isDeepStrictEqual(ours, recorded)) return;
    differences.push(`event ${seq}\n    recorded ${JSON.stringify(recorded)}\n    ours     ${JSON.stringify(ours)}`);
  };
  commit(store, ...setupEvents(trace.setup).map(toCommittable));
  recordCommits(store, (events) => {
    seen = events;
  });
  for (const observation of trace.observations) {
    if (observation.kind === "event") replayEvent(observation as unknown as EventObservation);
    if (observation.kind === "tables") {
      compareTables(`step ${String(observation["at"])}`, observation["tables"] ?? null);
    }
  }
  compareTables("end", trace.tables ?? null);
  return differences;
};

/** Scenarios about configuration, or that end before a store exists, have no rows to compare. */
const hasTables = ({ tables: recorded }: Trace): boolean => TABLE_NAMES[0] in (recorded ?? {});

const checkFile = async (file: string): Promise<"checked" | "no store" | readonly string[]> => {
  const trace = JSON.parse(await readFile(file, "utf8")) as Trace;
  if (!hasTables(trace)) return "no store";
  const store = await openStore({ storeId: "nb-main" });
  try {
    const differences = replay(store, trace);
    return differences.length === 0 ? "checked" : differences;
  } finally {
    await closeStore(store);
  }
};

const main = async (folder: string): Promise<number> => {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  let checked = 0;
  let different = 0;
  for (const name of files) {
    const result = await checkFile(join(folder, name));
    if (result === "checked") checked += 1;
    if (typeof result === "string") continue;
    different += 1;
    console.log(`${name}\n  ${result.join("\n  ")}`);
  }
  const skipped = files.length - checked - different;
  console.log(`${files.length} traces: ${checked} equal, ${different} different, ${skipped} without a store`);
  return different > 0 || checked === 0 ? 1 : 0;
};

process.exitCode = await main(process.argv[2] ?? DEFAULT_FOLDER);
