// Do the routes `shadow` and `live` compare both paths without touching what serves?
import assert from "node:assert/strict";
import test from "node:test";
import { bridge, configure } from "runtime-bridge";
import { candidateFaults, seedCandidateFault } from "runtime-bridge/testing";
import { Notebook, cellsAndRequests, diagnostics, drained, notice, reported, route, runs, until } from "./helpers.mjs";

const comparisons = [];
bridge.on("comparison", (comparison) => {
  comparisons.push(comparison);
  notice();
});

const of = (notebook) => comparisons.filter((comparison) => comparison.notebook === notebook.id);
const executionsOf = (notebook) => of(notebook).flatMap(({ executions }) => executions);
const statusOf = (notebook) => bridge.status().notebooks.find((one) => one.notebook === notebook.id);

/** Two cells in whose sources every fault of a text shows. */
const TELLING = {
  cells: Object.fromEntries(["a", "b"].map((id) => [id, `\ufeff<P>Tom &amp; Jerry ${id}</P>\r\n${"0123456789".repeat(7000)}  \n`])),
  requests: [["q1", "a"], ["q2", "b"]],
};

/** Runs these requests to the end on a route; resolves when all of them are compared. */
const compared = async (t, variant, { cells, requests } = { requests: [["q1", "a"]] }) => {
  const notebook = await Notebook.open(t, cells && { cells });
  route(variant);
  const runtime = await notebook.start();
  notebook.request(...requests);
  await notebook.untilCompleted(requests.length);
  await until("every comparison", () => executionsOf(notebook).length === requests.length);
  return { notebook, runtime };
};

for (const [variant, serving] of [["shadow", "legacy"], ["live", "registry"]]) {
  test(`${variant}: ${serving} serves, and html differs as the ledger says`, async (t) => {
    const { notebook, runtime } = await compared(t, variant);
    assert.equal(runtime.getState().runtimeId.startsWith("registry-"), serving === "registry");
    notebook.assertEachRanOnce([["q1", "a"]]);
    const [comparison] = of(notebook);
    assert.equal(comparison.serving, serving);
    assert.deepEqual(comparison.executions, [
      {
        queueId: "q1",
        cellId: "a",
        isRawEqual: false,
        verdict: "known",
        names: ["execution-count", "no-empty-metadata", "outputs-replaced"],
        cosmetic: [{ path: "clears", legacy: 0, registry: 1 }],
      },
    ]);
    const { comparisons, comparing, gate } = statusOf(notebook);
    assert.deepEqual([comparisons.compared, comparisons.known, comparisons.mismatched, comparing], [1, 1, 0, 0]);
    assert.equal(gate, variant === "shadow" ? "observe" : "enforce");
  });

  test(`${variant}: whatever is spoiled in the candidate is a mismatch, and what serves goes on`, async (t) => {
    t.after(() => seedCandidateFault(null));
    for (const fault of candidateFaults()) {
      seedCandidateFault(fault);
      const since = diagnostics.length;
      const { notebook } = await compared(t, variant, TELLING);
      notebook.assertEachRanOnce(TELLING.requests);
      const verdicts = of(notebook).flatMap(({ executions, order }) => [...executions, order]);
      const { signature, differences } = verdicts.find(({ verdict }) => verdict === "mismatch") ?? assert.fail(fault);
      assert.ok(differences.length > 0);
      const [news] = reported("MISMATCH", since);
      assert.ok(news.message.includes(signature) && news.message.includes(notebook.id));
      assert.ok(!news.message.includes("Jerry"), "a log is no place for outputs");
    }
  });

  test(`${variant}: a burst is compared to the last execution`, async (t) => {
    const burst = cellsAndRequests(45);
    const { notebook } = await compared(t, variant, burst);
    notebook.assertEachRanOnce(burst.requests);
    assert.deepEqual(executionsOf(notebook).map(({ queueId }) => queueId).sort(), burst.requests.map(([id]) => id));
    assert.ok(executionsOf(notebook).every(({ verdict }) => verdict === "known"));
  });
}

test("a running session is followed from the document that says so, and no longer than it says so", async (t) => {
  const notebook = await Notebook.open(t);
  route("legacy");
  await notebook.start();
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  route("shadow");
  notebook.request(["q2", "a"]);
  await until("the comparison", () => executionsOf(notebook).length === 1);
  route("legacy");
  notebook.request(["q3", "a"]);
  await notebook.untilCompleted(3);
  assert.deepEqual(executionsOf(notebook).map(({ queueId }) => queueId), ["q2"]);
  assert.equal(statusOf(notebook).gate, "observe");
});

test("a fault that does not exist is refused with those that do", () => {
  assert.throws(() => seedCandidateFault("nope"), { code: "UNKNOWN_FAULT", help: /dropped-output/ });
});

const fail = () => {
  throw new Error("from a listener");
};

for (const [how, listener] of [["throws", fail], ["rejects", async () => fail()]]) {
  test(`a listener that ${how} is logged and stops nothing`, async (t) => {
    t.after(bridge.on("comparison", listener));
    const error = t.mock.method(console, "error", () => {});
    await compared(t, "shadow");
    await drained();
    assert.equal(error.mock.calls.length, 1);
  });
}

test("shutdown waits for what is being compared, and the shadow keeps no process alive", async () => {
  const script = `
    import { Notebook, route } from "./tests/helpers.mjs";
    import { bridge, shutdown } from "runtime-bridge";
    let compared = 0;
    bridge.on("comparison", ({ executions }) => (compared += executions.length));
    route("shadow");
    const notebook = await Notebook.open();
    const runtime = await notebook.start();
    notebook.request(["q1", "a"]);
    await notebook.untilCompleted(1);
    await runtime.stop();
    await shutdown();
    console.log("compared", compared);
    await notebook.store.shutdown();
  `;
  assert.match(await runs(script), /^compared 1$/m);
});

test("aa: what serves is compared with its own core, and what differs there is told and held against nobody", async (t) => {
  t.after(() => (seedCandidateFault(null), configure({ shadow: { aa: false } })));
  assert.throws(() => configure({ shadow: { aa: "yes" } }), { code: "UNKNOWN_OPTION", message: /shadow\.aa/, help: /true/ });
  configure({ shadow: { aa: true } });
  assert.equal(bridge.status().shadow.mode, "aa");
  for (const [variant, serving] of [["shadow", "legacy"], ["live", "registry"]]) {
    seedCandidateFault(null);
    const { notebook } = await compared(t, variant);
    const [comparison] = of(notebook);
    assert.deepEqual([comparison.mode, comparison.serving], ["aa", serving]);
    assert.deepEqual(executionsOf(notebook).map(({ verdict }) => verdict), ["match"]);
    assert.deepEqual(statusOf(notebook).comparisons.aa, { compared: 1, differed: 0 });
  }
  seedCandidateFault("doubled-output");
  const [since, before] = [diagnostics.length, bridge.status().guard.totals];
  const { notebook } = await compared(t, "shadow");
  const { aa, compared: others, mismatched, noise } = statusOf(notebook).comparisons;
  assert.deepEqual([aa, others, mismatched, noise], [{ compared: 1, differed: 1 }, 0, 0, 0]);
  assert.deepEqual([reported("MISMATCH", since), bridge.status().guard.totals], [[], before]);
});
