// Is every way in which an execution can go astray seen, told and paid for with the exit status?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecordedEvent } from "../eventRecorder.js";
import { Accounting, type Verdict } from "../job/accounting.js";
import { exitStatusOf, type JobReport, type NotebookReport } from "../job/report.js";
import { accountText, comparisonText, tableOf, totalsText } from "../job/table.js";
import type { JsonObject } from "../store.js";

const event = (name: string, args: JsonObject): RecordedEvent => ({ name: `v1.${name}`, args });
const assigned = (queueId: string, runtimeSessionId = "s") =>
  event("ExecutionAssigned", { queueId, runtimeSessionId });
const started = (queueId: string, cellId: string, runtimeSessionId = "s") =>
  event("ExecutionStarted", { queueId, cellId, runtimeSessionId });
const output = (cellId: string, html: string) =>
  event("MultimediaResultOutputAdded", { cellId, representations: { "text/html": { type: "inline", data: html } } });
const completed = (queueId: string, cellId: string, status = "success") =>
  event("ExecutionCompleted", { queueId, cellId, status });
const terminated = (sessionId: string) => event("RuntimeSessionTerminated", { sessionId });

const A = [assigned("qa"), started("qa", "a"), output("a", "<a>"), completed("qa", "a")] as const;
const B = [assigned("qb"), started("qb", "b"), output("b", "<b>"), completed("qb", "b")] as const;

/** What the accounting makes of a log in which cell a (`<a>`) and cell b (`<b>`) were requested as qa and qb. */
const judge = (log: readonly RecordedEvent[], statuses: Record<string, string> = {}): Verdict => {
  const accounting = new Accounting();
  accounting.expect({ queueId: "qa", cellId: "a", source: "<a>" });
  accounting.expect({ queueId: "qb", cellId: "b", source: "<b>" });
  accounting.observe(log);
  return accounting.verdict((queueId) => statuses[queueId] ?? "completed");
};

const reportWith = (verdict: Verdict, notebooks: readonly NotebookReport[] = [], mismatch = 0): JobReport => {
  const faults = verdict.faults.map((fault) => ({ notebook: "nb", ...fault }));
  const of = (kind: string) => faults.filter((fault) => fault.kind === kind).length;
  return {
    flags: { file: "flags.json", generation: 1 },
    notebooks,
    skipped: [],
    totals: {
      notebooks: 2,
      cells: 9,
      html: 2,
      executed: 2,
      outputs: 2,
      notYetRunnable: { python: 3, sql: 1 },
      milliseconds: 1234,
    },
    accounting: { ...verdict, lost: of("lost"), doubled: of("doubled"), wrong: of("wrong"), faults },
    comparison: { match: 1, known: 2, noise: 0, mismatch, inconclusive: 0, knownDifferences: { "no-metadata": 2 }, mismatches: [] },
    problems: [],
  };
};

test("a log in which everything ran once is clean, whatever the order of executions", () => {
  const interleaved = [A[0], B[0], A[1], B[1], B[2], A[2], A[3], B[3]];
  for (const log of [[...A, ...B], [...B, ...A], interleaved]) {
    const verdict = judge(log);
    assert.deepEqual(verdict, { requested: 2, executedOnce: 2, outputs: 2, faults: [] });
    assert.equal(exitStatusOf(reportWith(verdict)), 0);
  }
});

test("whatever did not run exactly once is named, and costs the exit status", () => {
  const bOnly = B.slice(0, 3);
  const cases: [string, readonly RecordedEvent[], Record<string, string>?][] = [
    ["lost qb b: never started", [...A]],
    ["lost qb b: never started", [...A, assigned("qb")]],
    ["lost qb b: started, never ended", [...A, ...bOnly]],
    ["lost qb b: completed in the log, but its row says `executing`", [...A, ...B], { qb: "executing" }],
    ["doubled qb b: started 2 times", [...A, ...bOnly, started("qb", "b", "s2"), completed("qb", "b")]],
    ["doubled qb b: ended 2 times: success, success", [...A, ...B, completed("qb", "b")]],
    ["doubled qb b: ended 2 times: success, cancelled", [...A, ...B, event("ExecutionCancelled", { queueId: "qb" })]],
    ["doubled qb b: 2 outputs", [...A, ...bOnly, output("b", "<b>"), completed("qb", "b")]],
    ["doubled qb b: assigned 2 times", [...A, assigned("qb", "s2"), ...B]],
    ["doubled  b: an output while no execution of the cell was under way", [...A, ...B, output("b", "<b>")]],
    ["wrong qb b: ended without having started", [...A, assigned("qb"), completed("qb", "b")]],
    ["wrong qb b: started by another session than it was assigned to", [...A, assigned("qb", "s2"), ...B.slice(1)]],
    ["wrong qb b: ended as `error`", [...A, ...bOnly, completed("qb", "b", "error")]],
    ["wrong qb b: no output", [...A, assigned("qb"), started("qb", "b"), completed("qb", "b")]],
    ["wrong qb b: the output is not what the cell holds", [...A, ...B.slice(0, 2), output("b", "<a>"), ...B.slice(3)]],
    ["wrong qb b: put out after its session was terminated", [...A, ...B.slice(0, 2), terminated("s"), ...B.slice(2)]],
    ["wrong qc c: nobody requested it", [...A, ...B, started("qc", "c"), completed("qc", "c")]],
  ];
  for (const [expected, log, statuses] of cases) {
    const verdict = judge(log, statuses);
    const found = verdict.faults.map(({ kind, queueId, cellId, reason }) => `${kind} ${queueId} ${cellId}: ${reason}`);
    assert.deepEqual(found, [expected]);
    assert.equal(exitStatusOf(reportWith(verdict)), 1, expected);
  }
});

test("the table is aligned and tells of moves and runs", () => {
  const row = (notebook: string, more: Partial<NotebookReport>): NotebookReport => ({
    notebook,
    file: "",
    title: "",
    route: "legacy",
    reason: "default",
    variant: null,
    movedFrom: null,
    cells: 9,
    html: 2,
    executed: 2,
    outputs: 2,
    comparison: null,
    notYetRunnable: { python: 3, sql: 1 },
    runs: 1,
    milliseconds: 7,
    ...more,
  });
  const rows = [
    row("short", {}),
    row(`${"long-".repeat(8)}name`, { movedFrom: "legacy", route: "registry", reason: "targeting", cells: 120 }),
    row("stopped", { route: null, reason: null, milliseconds: null, runs: 12 }),
    row("tried", { route: "shadow", comparison: { match: 1, known: 20, noise: 0, mismatch: 3, inconclusive: 0 } }),
  ];
  const report = reportWith(judge([...A, ...B]), rows);
  assert.deepEqual(tableOf(report, true).split("\n"), [
    "notebook                 route and why                  cells  html  executed  match/known/mismatch  not yet  ms  runs",
    "short                    legacy (default)                   9     2         2                     -        4   7     1",
    "long-long-long-long-lo…  legacy > registry (targeting)    120     2         2                     -        4   7     1",
    "stopped                  none                               9     2         2                     -        4   -    12",
    "tried                    shadow (default)                   9     2         2                1/20/3        4   7     1",
  ]);
  assert.ok(!tableOf(report, false).includes("runs"));
  assert.ok(tableOf(report, true).split("\n").every((line) => line.length <= 120));
  assert.equal(totalsText(report), "2 notebooks, 9 cells: 2 html, 4 not yet runnable (3 python, 1 sql); 1.2 s");
  assert.equal(accountText(report), "2 requested, 2 executed exactly once, 0 lost, 0 doubled");
});

test("a mismatch costs the exit status and known differences do not", () => {
  const verdict = judge([...A, ...B]);
  assert.equal(exitStatusOf(reportWith(verdict)), 0);
  assert.equal(exitStatusOf(reportWith(verdict, [], 1)), 1);
  assert.deepEqual(comparisonText(reportWith(verdict, [], 1)), [
    "4 compared: 1 match, 2 known, 1 mismatch",
    "known differences: 2 no-metadata",
  ]);
});

test("the account names each fault", () =>
  assert.equal(
    accountText(reportWith(judge([...A, completed("qa", "a")]))),
    [
      "2 requested, 0 executed exactly once, 1 lost, 1 doubled",
      "doubled: notebook nb, cell a, execution qa: ended 2 times: success, success",
      "lost: notebook nb, cell b, execution qb: never started",
    ].join("\n"),
  ));
