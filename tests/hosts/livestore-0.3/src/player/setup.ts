/** The events that fill a store before the first step. */
import type { EncodedEvent, JsonObject, JsonValue } from "../store.js";
import { isObject, type Setup } from "./trace.js";

const USER_ID = "user-1";
const CODE_ONLY = { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false };

type Prepared<Part extends "cells" | "sessions" | "queue"> = NonNullable<Setup[Part]>[number];

const cellEvents = ({ id, cellType = "code", source = "", position = 0 }: Prepared<"cells">): EncodedEvent[] => [
  { name: "v2.CellCreated", args: { id, fractionalIndex: `a${position}`, cellType, createdBy: USER_ID } },
  { name: "v1.CellSourceChanged", args: { id, source, modifiedBy: USER_ID } },
];

const sessionEvents = (session: Prepared<"sessions">): EncodedEvent[] => {
  const { sessionId, runtimeId = `rt-${sessionId}`, runtimeType = "python3", status = "ready" } = session;
  const args = { sessionId, runtimeId, runtimeType, capabilities: CODE_ONLY };
  const started = { name: "v1.RuntimeSessionStarted", args };
  if (status === "starting") return [started];
  return [started, { name: "v1.RuntimeSessionStatusChanged", args: { sessionId, status } }];
};

const queueEvents = (entry: Prepared<"queue">): EncodedEvent[] => {
  const { queueId, cellId, executionCount = 1, requestedBy = USER_ID, assignTo } = entry;
  const requested = { name: "v1.ExecutionRequested", args: { queueId, cellId, executionCount, requestedBy } };
  if (assignTo === undefined) return [requested];
  return [requested, { name: "v1.ExecutionAssigned", args: { queueId, runtimeSessionId: assignTo } }];
};

/** In the order in which the recorder committed them. */
export const setupEvents = ({ cells = [], sessions = [], queue = [], events = [] }: Setup): EncodedEvent[] =>
  [...cells.flatMap(cellEvents), ...sessions.flatMap(sessionEvents), ...queue.flatMap(queueEvents), ...events].map(
    ({ name, args }) => ({ name, args: expanded(args, () => undefined) as JsonObject }),
  );

/** The first bytes of a PNG file. */
const PNG_SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");

/** Base64 of so many bytes: the signature, then byte i = i % 251. */
const png = (length: number): string => {
  const bytes = Buffer.from(Array.from({ length }, (_, i) => i % 251));
  PNG_SIGNATURE.copy(bytes);
  return bytes.toString("base64");
};

/** Expands `{"$…"}` in an input; `refer` knows those that name an object, and says undefined to any other. */
export const expanded = (
  value: JsonValue,
  refer: (name: string, of: JsonValue) => { value: unknown } | undefined,
): unknown => {
  if (Array.isArray(value)) return value.map((item: JsonValue) => expanded(item, refer));
  if (!isObject(value)) return value;
  const [key = "", of = null] = Object.entries(value)[0] ?? [];
  if (key === "$undefined") return undefined;
  if (key === "$error") return new Error(String(of));
  if (key === "$png") return png(Number(of));
  if (key === "$repeat" && isObject(of)) return String(of["text"]).repeat(Number(of["times"]));
  const referred = key.startsWith("$") ? refer(key, of) : undefined;
  if (referred !== undefined) return referred.value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, expanded(member, refer)]));
};
