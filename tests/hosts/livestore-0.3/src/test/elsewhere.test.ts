/** On a real LiveStore: is what an agent elsewhere does followed on the route `shadow`, and only there, and never touched? */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { bridge, configure, type Comparison } from "runtime-bridge";
import { attach } from "runtime-bridge/livestore";
import { seedCandidateFault } from "runtime-bridge/testing";
import { queryDb, Schema } from "../store.js";
import { Bound, notice, route, routeDocument, until } from "./bound.js";
import { type Shown, StandInAgent } from "./standInAgent.js";

const comparisons: Comparison[] = [];
bridge.on("comparison", (comparison) => {
  comparisons.push(comparison);
  notice();
});

const text = (data: string) => ({ type: "inline", data });

/** What a Python cell of some length shows: text, a display that changes, prose that grows, an error, a value. */
const SHOWN: readonly Shown[] = [
  { name: "v1.TerminalOutputAdded", args: { content: text("computing\r\n"), streamName: "stdout" } },
  { name: "v1.TerminalOutputAdded", args: { content: text("a warning"), streamName: "stderr" } },
  { name: "v1.MultimediaDisplayOutputAdded", args: { representations: { "text/plain": text("10 %") }, displayId: "d" } },
  { name: "v1.MultimediaDisplayOutputUpdated", args: { representations: { "text/plain": text("100 %") }, displayId: "d" } },
  { name: "v1.MarkdownOutputAdded", args: { id: "prose", content: { ...text("# Title"), metadata: { ai: true } } } },
  { name: "v2.MarkdownOutputAppended", args: { outputId: "prose", delta: " and more", sequenceNumber: 0 } },
  {
    name: "v1.ErrorOutputAdded",
    args: { content: { type: "inline", data: { ename: "ValueError", evalue: "no", traceback: ["line 1"] } } },
  },
  {
    name: "v1.MultimediaResultOutputAdded",
    args: { representations: { "text/html": text("<b>42</b>"), "application/json": { type: "inline", data: { n: [1, null] } } }, executionCount: 7 },
  },
];

/** A notebook with an agent elsewhere; what it holds in the end is what its host and the agent have committed. */
const opened = async (t: TestContext, runtimeType = "python3") => {
  comparisons.length = 0;
  const notebook = await Bound.open(t, 2);
  const attachment = attach(notebook.store, { queryDb, Schema });
  const agent = new StandInAgent(notebook.store, runtimeType);
  agent.start();
  return { notebook, agent, attachment };
};

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const execute = async (notebook: Bound, agent: StandInAgent, cell: string, shown = SHOWN): Promise<void> => {
  notebook.request(cell);
  await settled();
  agent.begin(`q${cell}`, cell);
  await settled();
  agent.show(cell, shown);
  await settled();
  agent.end(`q${cell}`, cell);
  await settled();
};

/** Nothing but what its host and the agent have committed is in the log, and nobody has a lease. */
const assertUntouched = (notebook: Bound, agent: StandInAgent): void => {
  const ofAgent = notebook.events.filter(({ name }) => name !== "v1.ExecutionRequested").map(({ name, args }) => ({ name, args }));
  assert.deepEqual(ofAgent, agent.committed);
  const status = bridge.status().notebooks.find(({ notebook: id }) => id === notebook.id);
  assert.deepEqual(status?.leases ?? [], []);
};

const verdicts = (notebook: Bound): unknown[] =>
  comparisons.filter(({ notebook: id }) => id === notebook.id).flatMap(({ executions }) => executions.map(({ verdict }) => verdict));

for (const runtimeType of ["python3", "ai"]) {
  test(`on the route shadow what a ${runtimeType} agent executes is compared, and its log is its own`, async (t) => {
    route("shadow");
    const { notebook, agent } = await opened(t, runtimeType);
    await execute(notebook, agent, "c000");
    await execute(notebook, agent, "c001", []);
    await until("both comparisons", () => verdicts(notebook).length === 2);
    assert.deepEqual(verdicts(notebook), ["match", "match"]);
    assertUntouched(notebook, agent);
  });
}

for (const variant of ["legacy", "live", "registry"] as const) {
  test(`on the route ${variant} nothing is followed`, async (t) => {
    route(variant);
    const { notebook, agent } = await opened(t);
    await execute(notebook, agent, "c000");
    assert.equal(notebook.status.following, 0);
    assert.deepEqual(notebook.status.comparisons.compared, 0);
    assertUntouched(notebook, agent);
  });
}

test("flags can shadow one runtime type and leave the others alone", async (t) => {
  const { flags } = routeDocument("legacy");
  const targeting = { if: [{ "==": [{ var: "runtimeType" }, "python3"] }, "shadow", "legacy"] };
  configure({ flags: { flags: { "runtime-route": { ...flags["runtime-route"], targeting } } } });
  const python = await opened(t);
  await execute(python.notebook, python.agent, "c000");
  await until("the comparison", () => verdicts(python.notebook).length === 1);
  const ai = await opened(t, "ai");
  await execute(ai.notebook, ai.agent, "c000");
  assert.equal(ai.notebook.status.comparisons.compared, 0);
});

test("a flip to legacy ends the following in the middle of an execution, and so does a detached store", async (t) => {
  route("shadow");
  const { notebook, agent, attachment } = await opened(t);
  notebook.request("c000");
  await settled();
  assert.equal(notebook.status.following, 1);
  agent.begin("qc000", "c000");
  route("legacy");
  assert.equal(notebook.status.following, 0);
  agent.end("qc000", "c000");
  await settled();
  route("shadow");
  notebook.request("c001");
  await settled();
  assert.equal(notebook.status.following, 1);
  attachment.detach();
  assert.equal(notebook.status.following, 0);
  assert.equal(notebook.status.comparisons.compared, 0);
  assertUntouched(notebook, agent);
});

test("what is run anew before anybody has looked says nothing", async (t) => {
  route("shadow");
  const { notebook, agent } = await opened(t);
  notebook.request("c000");
  notebook.host({ name: "v1.ExecutionRequested", args: { queueId: "again", cellId: "c000", executionCount: 8, requestedBy: "u1" } });
  await settled();
  agent.begin("qc000", "c000");
  agent.show("c000", SHOWN);
  agent.end("qc000", "c000");
  agent.begin("again", "c000");
  await until("the comparison", () => verdicts(notebook).length === 1);
  assert.deepEqual(verdicts(notebook), ["inconclusive"]);
  assert.equal((comparisons[0]?.executions[0] as { why?: string }).why, "outputs-gone");
});

for (const fault of ["dropped-output", "changed-character", "dropped-terminal", "swapped-outputs"]) {
  test(`a candidate with the fault ${fault} is noticed`, async (t) => {
    t.after(() => seedCandidateFault(null));
    route("shadow");
    seedCandidateFault(fault);
    const { notebook, agent } = await opened(t);
    await execute(notebook, agent, "c000");
    await until("the comparison", () => verdicts(notebook).length === 1);
    assert.deepEqual(verdicts(notebook), ["mismatch"]);
    assertUntouched(notebook, agent);
  });
}
