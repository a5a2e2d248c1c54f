// What becomes of executions when two processes serve the same notebook: the host's old code in one, the bridge in the other?
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { cellIds } from "./bound.js";
import { LIVESTORE } from "../store.js";
import { measure } from "./measure.js";
import { audit, eventually, outOfTurn, Pair } from "./pair.js";

/** Two stores of 0.4.0 that write at once lose touch, without the bridge as well: `twoWriters.test.ts`. */
const TWO_WRITERS = { skip: LIVESTORE === "0.4" ? "a known fault of LiveStore 0.4.0: two writers lose touch" : false };

/** How long a message takes where one is to be overtaken: far longer than a process takes to do as it is told. */
const SLOW_MS = 500;

const open = async (t: TestContext, cells: number): Promise<Pair> => {
  const pair = await Pair.open(cellIds(cells), 0);
  t.after(() => pair.close());
  return pair;
};

/** Each of these ran once, on the path of the sessions with this prefix. */
const ranOnce = (pair: Pair, cells: readonly string[], prefix: string): void => {
  for (const name of ["v1.ExecutionAssigned", "v1.ExecutionStarted", "v1.ExecutionCompleted"]) {
    const times = pair.times(name);
    for (const cell of cells) assert.equal(times.get(`q${cell}`), 1, `${name} of ${cell}`);
  }
  const sessions = pair.all("v1.ExecutionStarted").filter(({ cellId }) => cells.includes(String(cellId)));
  assert.ok(sessions.every(({ runtimeSessionId }) => String(runtimeSessionId).startsWith(prefix)));
};

test("a newer session of the old code ends the bridge's, which claims nothing more", async (t) => {
  const pair = await open(t, 8);
  const [first, second] = [pair.cells.slice(0, 4), pair.cells.slice(4)];
  await pair.bridge.ask({ do: "route", route: "registry" });
  await pair.bridge.ask({ do: "start" });
  await pair.old.ask({ do: "request", cells: first });
  await pair.ended(first);
  ranOnce(pair, first, "html-registry-");
  await pair.old.ask({ do: "start" });
  await eventually("the end of the bridge's session", async () => (await pair.bridge.notes()).isActive.every((is) => !is));
  await pair.bridge.ask({ do: "request", cells: second });
  await pair.ended(second);
  ranOnce(pair, second, "html-runtime-");
});

test("a newer session of the bridge is the only one in the log, and loses nothing to old code that goes on claiming", TWO_WRITERS, async (t) => {
  const pair = await open(t, 8);
  await pair.old.ask({ do: "start" });
  await pair.bridge.ask({ do: "route", route: "registry" });
  await eventually("the old session", () => pair.all("v1.RuntimeSessionStarted").length === 1);
  await pair.bridge.ask({ do: "start" });
  await eventually("both sessions", () => pair.all("v1.RuntimeSessionStarted").length === 2);
  assert.deepEqual(pair.all("v1.RuntimeSessionTerminated").map(({ reason }) => reason), ["displaced"]);
  for (const cell of pair.cells) await pair.old.ask({ do: "request", cells: [cell] });
  await pair.ended(pair.cells);
  const { bridge, old } = { bridge: await pair.bridge.notes(), old: await pair.old.notes() };
  await eventually("the same tables", async () => {
    const [one, other] = [(await pair.bridge.notes()).statuses, (await pair.old.notes()).statuses];
    return pair.cells.every((cell) => one[`q${cell}`] === "completed" && other[`q${cell}`] === "completed");
  });
  assert.ok(Object.keys(bridge.claimed).length + Object.keys(old.claimed).length >= pair.cells.length);
});

test("under load, with displacements and flips both ways, nothing is lost, and what is doubled is counted", TWO_WRITERS, async (t) => {
  const found = await measure({ executions: 40, latency_ms: 5 });
  t.diagnostic(JSON.stringify(found));
  assert.equal(found.lost, 0);
  assert.equal(found.audit["lost"] ?? 0, 0, "the audit says the same");
  assert.ok(found.doubled <= found.executions);
  assert.deepEqual(found.outOfTurn.filter(({ wasKnown }) => wasKnown), [], "the bridge ran what it knew of in its order");
});

test("a request that arrives behind a later one of the bridge's own side stands before it in the log, and is run when it arrives", TWO_WRITERS, async (t) => {
  const pair = await Pair.open(cellIds(2), SLOW_MS);
  t.after(() => pair.close());
  await pair.bridge.ask({ do: "route", route: "registry" });
  await pair.bridge.ask({ do: "start" });
  await eventually("the session", () => pair.all("v1.RuntimeSessionStarted").length === 1);
  const [theirs = "", own = ""] = pair.cells;
  await pair.old.ask({ do: "request", cells: [theirs] });
  await eventually("a request under way", () => pair.all("v1.ExecutionRequested").length === 1);
  await pair.bridge.ask({ do: "request", cells: [own] });
  await pair.ended(pair.cells);
  assert.deepEqual(pair.all("v1.ExecutionRequested").map(({ queueId }) => queueId), [`q${theirs}`, `q${own}`]);
  const found = audit(pair.server);
  assert.deepEqual(found.faults, { reordered: 1 });
  const late = { late: `q${theirs}`, before: `q${own}`, wasKnown: false };
  assert.deepEqual(outOfTurn(pair.server, found, await pair.bridge.notes()), [late]);
});
