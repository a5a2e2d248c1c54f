// One case of the html benchmark, in a process of its own so that its store begins with fresh memory. Standard input is the
// case as JSON, standard output its measurement: `{ latencies, elapsed_ms, shape }`.

import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { configure, shutdown } from "runtime-bridge";
import { HtmlRuntime } from "runtime-bridge/legacy";
import { attach } from "runtime-bridge/livestore";
import { seedCandidateFault } from "runtime-bridge/testing";
import { closeStore, commit, drain, openStore, queryDb, Schema } from "../hosts/livestore-0.3/build/store.js";

import { randomOf } from "./measure.mjs";

const USER = "user-1";

/** As many as the registry commits in one step, so that the floor costs the store the same. */
const EVENTS_A_COMMIT = 100;

/** No execution takes this long, not even behind 200 others on the old path's poll. */
const LOST_MS = 120_000;

/** A person's next request has no relation to the old path's poll of 50 ms; a fixed pause would meet it always early or late. */
const LONGEST_PAUSE_MS = 50;

const { mode, shape, cells, isOneCell, warmUp, pauses, seed, breakdown = null, shadow = {} } = JSON.parse(readFileSync(0, "utf8"));
const store = await openStore({ storeId: "bench" });
const ended = watchCompletions();
createCells();
const stop = mode === "floor" ? startFloor() : await startRuntime();
await queued(range("w", warmUp));
process.stdout.write(JSON.stringify(shape === "queued" ? await queued(range("q", cells)) : await single(range("s", cells))));
await stop();
await closeStore(store);

/** Requests everything in one go. */
async function queued(ids) {
  await drain(store);
  const began = performance.now();
  const all = Promise.all(ids.map((id) => ended.of(id)));
  inBatches(ids.map(requestOf));
  const times = await all;
  return { latencies: times.map((at) => at - began), elapsed_ms: Math.max(...times) - began, shape: ended.shape };
}

/** Requests one execution when the store has nothing left to do from the one before. */
async function single(ids) {
  const random = randomOf(seed);
  const latencies = [];
  for (const id of ids) {
    await drain(store);
    if (pauses) await pause(random() * LONGEST_PAUSE_MS);
    const began = performance.now();
    const end = ended.of(id);
    commit(store, requestOf(id));
    latencies.push((await end) - began);
  }
  return { latencies, elapsed_ms: latencies.reduce((sum, one) => sum + one, 0), shape: ended.shape };
}

/** Notes when the commit that ends an execution has taken effect, and what is committed for the first measured one. */
function watchCompletions() {
  const waiting = new Map();
  const firstEvents = [];
  const commitNow = store.commit;
  let first = null;
  let isFirstOver = false;
  store.commit = (...events) => {
    commitNow(...events);
    const at = performance.now();
    for (const { name, args } of events) {
      if (name === "v1.ExecutionRequested" && /^[qs]/.test(args.queueId)) first ??= args;
      else if (first && !isFirstOver && [first.queueId, undefined].includes(args.queueId)) firstEvents.push(fieldsOf(name, args));
      isFirstOver ||= name === "v1.ExecutionCompleted" && args.queueId === first?.queueId;
      if (name === "v1.ExecutionCompleted") waiting.get(args.queueId)?.(at);
    }
  };
  const of = (id) =>
    new Promise((resolve, reject) => {
      const lost = setTimeout(() => reject(new Error(`${mode}: \`${id}\` has not ended`)), LOST_MS);
      waiting.set(id, (at) => {
        clearTimeout(lost);
        waiting.delete(id);
        resolve(at);
      });
    });
  return { of, shape: firstEvents };
}

function fieldsOf(name, args) {
  return `${name}(${Object.keys(args).sort().join(", ")})`;
}

function createCells() {
  const ids = [...range("w", warmUp), ...range(shape === "queued" ? "q" : "s", cells)];
  inBatches(
    [...new Set(ids.map(cellOf))].flatMap((id) => [
      { name: "v2.CellCreated", args: { id, fractionalIndex: `a${id}`, cellType: "code", createdBy: USER } },
      { name: "v1.CellSourceChanged", args: { id, source: `<p>${id}</p>`, modifiedBy: USER } },
    ]),
  );
}

async function startRuntime() {
  configure({ flags: routedTo(mode), shadow });
  seedCandidateFault(breakdown);
  attach(store, { queryDb, Schema });
  const runtime = new HtmlRuntime({ store, userId: USER });
  await runtime.start("bench");
  return async () => {
    await runtime.stop();
    await shutdown();
  };
}

/** What nothing can beat: the registry's events by hand, a microtask behind the request, with nobody to find the request. */
function startFloor() {
  const sessionId = "html-registry-floor-0-0";
  const requested = [];
  const serve = () => inBatches(requested.splice(0).flatMap((request) => executionOf(request, sessionId)));
  const commitNow = store.commit;
  store.commit = (...events) => {
    commitNow(...events);
    const requests = events.filter(({ name }) => name === "v1.ExecutionRequested");
    if (requests.length === 0) return;
    if (requested.length === 0) queueMicrotask(serve);
    requested.push(...requests.map(({ args }) => args));
  };
  return async () => undefined;
}

function executionOf({ queueId, cellId, executionCount }, runtimeSessionId) {
  const representations = { "text/html": { type: "inline", data: `<p>${queueId}</p>` } };
  const now = new Date().toISOString();
  return [
    { name: "v1.ExecutionAssigned", args: { queueId, runtimeSessionId } },
    { name: "v1.ExecutionStarted", args: { queueId, cellId, runtimeSessionId, startedAt: now } },
    { name: "v1.CellOutputsCleared", args: { cellId, wait: false, clearedBy: USER } },
    { name: "v1.MultimediaResultOutputAdded", args: { id: `output-${queueId}`, cellId, position: 0, representations, executionCount } },
    { name: "v1.ExecutionCompleted", args: { queueId, cellId, status: "success", completedAt: now, executionDurationMs: 0 } },
  ];
}

function inBatches(events) {
  for (let start = 0; start < events.length; start += EVENTS_A_COMMIT) commit(store, ...events.slice(start, start + EVENTS_A_COMMIT));
}

function requestOf(queueId) {
  return { name: "v1.ExecutionRequested", args: { queueId, cellId: cellOf(queueId), executionCount: 1, requestedBy: USER } };
}

function routedTo(route) {
  const flag = { state: "ENABLED", variants: { [route]: route }, defaultVariant: route, targeting: {} };
  return { flags: { "runtime-route": flag } };
}

function cellOf(queueId) {
  return isOneCell ? "cell" : `cell-${queueId}`;
}

/** The old path takes entries in the order of their ids as text. */
function range(prefix, count) {
  return Array.from({ length: count }, (_, n) => `${prefix}${String(n).padStart(5, "0")}`);
}
