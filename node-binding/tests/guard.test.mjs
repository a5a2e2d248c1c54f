// Does the guard take notebooks back by itself, keep them back, and let go only when it is told why?
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { bridge, configure } from "runtime-bridge";
import { seedCandidateFault } from "runtime-bridge/testing";
import { Notebook, diagnostics, folder, notice, reported, route, runs, until } from "./helpers.mjs";

const rollbacks = [];
bridge.on("rollback", (rollback) => {
  rollbacks.push(rollback);
  notice();
});

const pathOf = (notebook) => bridge.status().notebooks.find((one) => one.notebook === notebook.id).leases[0].path;
const rearmAll = () => bridge.status().guard.latched.length > 0 && bridge.rearm("the test is over");

/** A cell for each execution of a notebook, by the id of its request. */
const CELLS = { q1: "<b>1</b>", q2: "<b>2</b>", q3: "<b>3</b>" };

/** A running session on `live`, and one more notebook that nothing happens to. */
const opened = async (t) => {
  t.after(() => seedCandidateFault(null));
  t.after(rearmAll);
  const [notebook, other] = [await Notebook.open(t, { cells: CELLS }), await Notebook.open(t)];
  route("live");
  const runtime = await notebook.start();
  await other.start();
  return { notebook, other, runtime };
};

/** Runs executions one by one, each compared before the next. */
const run = async (notebook, ids) => {
  for (const id of ids) {
    const { compared } = bridge.status().guard.totals;
    notebook.request([id, id]);
    await notebook.untilCompleted(1 + ids.indexOf(id));
    await until("the comparison", () => bridge.status().guard.totals.compared > compared);
  }
};

test("until it is configured, the guard only says what it would do", async (t) => {
  const { notebook } = await opened(t);
  seedCandidateFault("dropped-output");
  const since = diagnostics.length;
  await run(notebook, ["q1", "q2"]);
  await until("the advice", () => rollbacks.length === 1);
  assert.equal(rollbacks[0].isDryRun, true);
  assert.equal(reported("WOULD_ROLL_BACK", since).length, 1);
  assert.equal(pathOf(notebook), "registry");
  const { latched, wouldBeLatched } = bridge.status().guard;
  assert.deepEqual([latched.length, wouldBeLatched.length], [0, 1]);
});

test("a candidate that differs twice is rolled back at its notebook, while its session runs", async (t) => {
  configure({ guard: {} });
  const { notebook, other, runtime } = await opened(t);
  const before = runtime.getState().runtimeId;
  seedCandidateFault("dropped-output");
  const seen = rollbacks.length;
  const since = diagnostics.length;
  await run(notebook, ["q1", "q2"]);
  await until("the rollback", () => rollbacks.length > seen);
  const { scope, tier, discordant, isDryRun, totals } = rollbacks[seen];
  assert.deepEqual([scope, tier, isDryRun], [{ notebook: notebook.id }, "mismatches", false]);
  assert.deepEqual(discordant.map(({ queueId }) => queueId), ["q1", "q2"]);
  assert.ok(totals.mismatched >= 2);
  await until("the flip", () => pathOf(notebook) === "legacy");
  assert.notEqual(runtime.getState().runtimeId, before);
  assert.equal(pathOf(other), "registry");
  assert.equal(reported("ROLLED_BACK", since).length, 1);
  const { route: latched, reason } = bridge.route(notebook.id);
  assert.deepEqual([latched, reason], ["legacy", { "rolled-back": "mismatches" }]);

  for (let n = 0; n < 20; n += 1) route("live");
  notebook.request(["q3", "q3"]);
  await notebook.untilCompleted(3);
  notebook.assertEachRanOnce(Object.keys(CELLS).map((id) => [id, id]));
  assert.equal(pathOf(notebook), "legacy", "new documents change nothing");

  assert.throws(() => bridge.rearm("  "), { code: "REARM_WITHOUT_REASON" });
  assert.throws(() => bridge.rearm("a reason", { notebook: other.id }), { code: "NOT_LATCHED" });
  bridge.rearm("the fault is out", { notebook: notebook.id, by: "an operator" });
  assert.equal(bridge.route(notebook.id).route, "live");
  const { rearmed } = bridge.status().guard;
  assert.deepEqual([rearmed.at(-1).reason, rearmed.at(-1).by], ["the fault is out", "an operator"]);
});

test("a rollback everywhere reaches sessions that have nothing to do with it", async (t) => {
  configure({ guard: {} });
  const { other } = await opened(t);
  seedCandidateFault("dropped-output");
  const seen = rollbacks.length;
  const notebooks = await Promise.all([1, 2, 3, 4].map(() => Notebook.open(t, { cells: CELLS })));
  for (const notebook of notebooks) await notebook.start();
  for (const notebook of notebooks) notebook.request(["q1", "q1"]);
  await until("the rollback", () => rollbacks.length > seen);
  assert.equal(rollbacks[seen].scope, "everywhere");
  await until("the flips", () => [other, ...notebooks].every((notebook) => pathOf(notebook) === "legacy"));
  for (const notebook of notebooks) await notebook.untilCompleted(1);
  assert.equal(bridge.route("never seen").route, "legacy");
});

const restarted = (file) => runs(`
  import { bridge, configure } from "runtime-bridge";
  import { routes } from "./tests/helpers.mjs";
  configure({ guard: { latch: ${JSON.stringify(file)} }, flags: routes("registry") });
  const { route, reason } = bridge.route("nb");
  console.log(JSON.stringify([route, reason]));
`);

test("a rollback outlives its process, and its end does too", async (t) => {
  const file = join(folder(t), "latch");
  assert.match(await restarted(file), /^\["registry","static"\]$/m);
  const rolledBack = await runs(`
    import { bridge, configure, shutdown } from "runtime-bridge";
    import { seedCandidateFault } from "runtime-bridge/testing";
    import { Notebook, notice, route, until } from "./tests/helpers.mjs";
    configure({ guard: { latch: ${JSON.stringify(file)} } });
    route("shadow");
    seedCandidateFault("dropped-output");
    let rollbacks = 0;
    bridge.on("rollback", () => (rollbacks += 1, notice()));
    for (let n = 0; n < 4; n += 1) {
      const notebook = await Notebook.open();
      await notebook.start();
      notebook.request(["q1", "a"]);
      await notebook.untilCompleted(1);
      await until("the comparison", () => bridge.status().guard.totals.compared > n);
    }
    await until("the rollback", () => rollbacks === 1);
    console.log("rolled back");
    process.exit(0);
  `);
  assert.match(rolledBack, /^rolled back$/m);
  assert.deepEqual(readdirSync(join(file, "..")), ["latch"]);
  assert.match(await restarted(file), /^\["legacy",\{"rolled-back":"mismatches"\}\]$/m);
  const rearmed = await runs(`
    import { bridge, configure } from "runtime-bridge";
    configure({ guard: { latch: ${JSON.stringify(file)} } });
    bridge.rearm("looked at");
  `);
  assert.equal(typeof rearmed, "string");
  assert.match(await restarted(file), /^\["registry","static"\]$/m);
});

test("a latch that cannot be read is closed, until somebody says otherwise", async (t) => {
  const file = join(folder(t), "latch");
  writeFileSync(file, "not a state");
  const since = diagnostics.length;
  configure({ guard: { latch: file } });
  t.after(rearmAll);
  assert.equal(reported("GUARD_STATE_UNREADABLE", since).length, 1);
  route("registry");
  assert.deepEqual(bridge.route("nb").reason, { "rolled-back": "unreadable" });
  bridge.rearm("the file was edited by hand");
  assert.equal(bridge.route("nb").route, "registry");
  assert.match(readFileSync(file, "utf8"), /edited by hand/);
});
