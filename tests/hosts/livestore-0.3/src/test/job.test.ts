// Does the main job run every requested cell exactly once, on whichever route, and does it say so when it does not?
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { RecordedEvent } from "../eventRecorder.js";
import { Accounting, type Verdict } from "../job/accounting.js";
import { runCommand } from "../job/command.js";
import { InputError, newsText } from "../job/failure.js";
import { Job } from "../job/job.js";
import { loadNotebooks } from "../job/notebooks.js";
import { parseOptions } from "../job/options.js";
import { exitStatusOf, type JobReport, type NotebookReport } from "../job/report.js";
import { accountText, tableOf, totalsText } from "../job/table.js";
import { Terminal, type Output } from "../job/terminal.js";
import type { JsonObject } from "../store.js";

const MAIN = fileURLToPath(new URL("../job/main.js", import.meta.url));

/** What the tests wait for takes a second; a bridge that never tells must not hang the run. */
const DEADLINE = { timeout: 120_000 };

const home = process.cwd();
let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "job-"));
  process.chdir(folder);
});
after(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, content: unknown): string => {
  const file = join(folder, name);
  writeFileSync(`${file}.new`, typeof content === "string" ? content : JSON.stringify(content));
  renameSync(`${file}.new`, file);
  return file;
};

const notebookFile = (name: string, ...sources: readonly string[]): string =>
  write(name, {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: "python3", language: "python" } },
    cells: [
      { cell_type: "markdown", source: "# Title" },
      { cell_type: "code", source: "print(1)" },
      ...sources.map((source) => ({ cell_type: "code", source: `%%html\n${source}` })),
    ],
  });

const flags = (defaultVariant: string, targeting: object = {}): object => ({
  flags: {
    "runtime-route": {
      state: "ENABLED",
      variants: { legacy: "legacy", registry: "registry" },
      defaultVariant,
      targeting,
      metadata: { boundary: "drain" },
    },
  },
});

/** Keeps what is printed, and tells when a text has appeared. */
class Screen implements Output {
  text = "";
  #waiting: (() => void)[] = [];

  write(text: string): void {
    this.text += text;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) await new Promise<void>((wake) => this.#waiting.push(wake));
  }
}

const openJob = async (flagFile: string, notebooks: readonly string[], isJson: boolean) => {
  const out = new Screen();
  const err = new Screen();
  const loaded = await loadNotebooks(notebooks);
  const terminal = new Terminal(out, err, false);
  const job = await Job.open({ flagFile, loaded, isJson, isVerbose: false, terminal });
  return { job, out, err };
};

/** Runs the command in a process of its own, as `npm start` does, from the folder of the tests. */
const spawned = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
  const { INIT_CWD: _cwd, RUNTIME_BRIDGE_FLAGS: _flags, ...inherited } = process.env;
  const options = { cwd: folder, env: { ...inherited, ...env }, encoding: "utf8" } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], options);
  return { status, out: stdout, err: stderr };
};

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

const reportWith = (verdict: Verdict, notebooks: readonly NotebookReport[] = []): JobReport => {
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
    notYetRunnable: { python: 3, sql: 1 },
    runs: 1,
    milliseconds: 7,
    ...more,
  });
  const rows = [
    row("short", {}),
    row(`${"long-".repeat(8)}name`, { movedFrom: "legacy", route: "registry", reason: "targeting", cells: 120 }),
    row("stopped", { route: null, reason: null, milliseconds: null, runs: 12 }),
  ];
  const report = reportWith(judge([...A, ...B]), rows);
  assert.deepEqual(tableOf(report, true).split("\n"), [
    "notebook                              route and why                  cells  html  executed  outputs  not yet  ms  runs",
    "short                                 legacy (default)                   9     2         2        2        4   7     1",
    "long-long-long-long-long-long-long-…  legacy > registry (targeting)    120     2         2        2        4   7     1",
    "stopped                               none                               9     2         2        2        4   -    12",
  ]);
  assert.ok(!tableOf(report, false).includes("runs"));
  assert.ok(tableOf(report, true).split("\n").every((line) => line.length <= 120));
  assert.equal(totalsText(report), "2 notebooks, 9 cells: 2 html, 4 not yet runnable (3 python, 1 sql); 1.2 s");
  assert.equal(accountText(report), "2 requested, 2 executed exactly once, 0 lost, 0 doubled");
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

test("options are read, and what is no option is refused with the usage", () => {
  assert.deepEqual(parseOptions(["--json", "--flags", "f.json", "a.ipynb", "b.ipynb"]), {
    flags: "f.json",
    once: true,
    json: true,
    verbose: false,
    help: false,
    notebooks: ["a.ipynb", "b.ipynb"],
  });
  for (const [args, message] of [
    [["--onec"], "Unknown option `--onec`"],
    [["--flags"], "Option `--flags <value>` argument missing"],
    [["--once=yes"], "Option `--once` does not take an argument"],
  ] as const) {
    assert.throws(
      () => parseOptions(args),
      (error) => {
        assert.ok(error instanceof InputError);
        assert.equal(error.message, message);
        assert.match(newsText("error", error), /\n {2}hint: see the usage\n\nusage: npm start/);
        return true;
      },
    );
  }
});

test("a line of progress is rewritten in place and gives way to other lines", () => {
  const out = new Screen();
  const terminal = new Terminal(out, out, true);
  terminal.progress("1 of 2");
  terminal.progress("1 of 2");
  terminal.progress("2 of 2");
  terminal.print("done");
  assert.equal(out.text, "1 of 2\r\u001b[K2 of 2\r\u001b[Kdone\n");
});

test("notebooks on either route run every html cell once", DEADLINE, async () => {
  const notebooks = [notebookFile("old.ipynb", "<p>1</p>", "<p>é</p>"), notebookFile("new.ipynb", "<p>1</p>", "")];
  const flagFile = write("both.json", flags("legacy", { if: [{ "==": [{ var: "targetingKey" }, "new"] }, "registry"] }));
  const { job, out } = await openJob(flagFile, notebooks, true);
  assert.equal(await job.once(), 0);
  const report = JSON.parse(out.text) as JobReport;
  const seen = report.notebooks.map(({ notebook, route, reason, cells, html, executed, outputs, notYetRunnable }) => ({
    notebook,
    route: `${route} (${reason})`,
    counts: [cells, html, executed, outputs],
    notYetRunnable,
  }));
  const same = { counts: [4, 2, 2, 2], notYetRunnable: { python: 1 } };
  assert.deepEqual(seen, [
    { notebook: "old", route: "legacy (default)", ...same },
    { notebook: "new", route: "registry (targeting)", ...same },
  ]);
  const clean = { requested: 4, executedOnce: 4, lost: 0, doubled: 0, wrong: 0, faults: [] };
  assert.deepEqual(report.accounting, clean);
});

test("edits of the flag document move a running notebook there and back, a bad one moves nothing", DEADLINE, async () => {
  const flagFile = write("watched.json", flags("legacy"));
  const notebook = notebookFile("moving.ipynb", "<p>1</p>", "<p>2</p>", "<p>3</p>");
  const { job, out, err } = await openJob(flagFile, [notebook], false);
  const watching = job.watch();
  await out.until(/\nwatching .*watched\.json/);
  assert.match(out.text, /^moving +legacy \(static\) .* 1$/m);

  write("watched.json", flags("registry"));
  await out.until(/^moving +registry \(static\) .* 2$/m);
  write("watched.json", '{"flags": {\n');
  await err.until(/the flags of generation \d+ stay in force\n/);
  assert.match(err.text, /^error: \S+watched\.json:2:1: .*\[FLAGS_REJECTED\]\n {2}hint: check the JSON/);
  write("watched.json", flags("legacy"));
  await out.until(/^moving +legacy \(static\) .* 3$/m);

  job.interrupt();
  assert.equal(await watching, 0);
  assert.match(out.text, /\n9 requested, 9 executed exactly once, 0 lost, 0 doubled\n$/);
});

test("a notebook that fills its store goes on in a fresh one", DEADLINE, async () => {
  const flagFile = write("filling.json", flags("legacy"));
  const { job, out } = await openJob(flagFile, [notebookFile("large.ipynb", "x".repeat(400_000))], false);
  const watching = job.watch();
  for (const [run, route] of ["legacy", "registry", "legacy", "registry"].entries()) {
    write("filling.json", flags(route));
    await out.until(new RegExp(`^large +${route} \\(static\\) .* ${run + 1}$`, "m"));
  }
  job.interrupt();
  assert.equal(await watching, 0);
  assert.match(out.text, /\n4 requested, 4 executed exactly once, 0 lost, 0 doubled\n$/);
});

test("the command ends by itself and keeps standard output for the result", DEADLINE, () => {
  notebookFile("small.ipynb", "<p>1</p>");
  write("registry.json", flags("registry"));
  const { status, out, err } = spawned(["--json", "small.ipynb"], { RUNTIME_BRIDGE_FLAGS: "registry.json" });
  assert.equal(status, 0, err);
  const { flags: used, notebooks } = JSON.parse(out) as JobReport;
  assert.deepEqual([used.file, notebooks[0]?.route], ["registry.json", "registry"]);
  const refused = spawned(["--flags", "none.json", "small.ipynb"]);
  assert.deepEqual([refused.status, refused.out], [2, ""], refused.err);
});

test("bad input ends with status 2 before anything runs, and says where and what to do", DEADLINE, async () => {
  const good = notebookFile("good.ipynb", "<p>1</p>");
  write("broken.ipynb", '{"nbformat": 4,\n  "cells": [');
  notebookFile("huge.ipynb", "x".repeat(600_000));
  write("syntax.json", '{"flags": {}\n');
  write("state.json", '{"flags": {"runtime-route": {\n  "state": "ON", "variants": {}}}}');
  writeFileSync(join(folder, "latin.json"), Buffer.from([0x7b, 0xe9, 0x7d]));
  for (const [args, expected] of [
    [["good.ipynb", "broken.ipynb"], /^error: broken\.ipynb:2:\d+: .*\[NOTEBOOK_INVALID_JSON\]\n {2}hint: \S/],
    [["none.ipynb"], /^error: none\.ipynb: no such file \[NOTEBOOK_NOT_FOUND\]\n {2}hint: \S/],
    [["huge.ipynb"], /^error: huge\.ipynb: \$\.cells\[2\].*`600000` \[NOTEBOOK_TOO_LARGE\]\n {2}hint: split/],
    [[good, "good.ipynb"], /^error: good\.ipynb: has the same notebook id .*\[DUPLICATE_NOTEBOOK\]\n {2}hint: \S/],
    [["--flags", "none.json"], /^error: none\.json: .*`ENOENT` \[FLAGS_UNREADABLE\]\n {2}hint: \S/],
    [["--flags", "latin.json"], /^error: latin\.json: .*not UTF-8 \[FLAGS_NOT_TEXT\]\n {2}hint: \S/],
    [["--flags", "syntax.json"], /^error: \S+syntax\.json:2:1: .*\[SYNTAX\]\n {2}hint: check the JSON[^\n]*\n$/],
    [["--flags", "state.json"], /^error: \S+state\.json:2:12: flags\.runtime-route\.state: .*\[UNKNOWN_STATE\]\n {2}hint/],
    [["--nope"], /^error: Unknown option `--nope` \[USAGE\]\n {2}hint: see the usage\n\nusage: npm start/],
  ] as const) {
    const [out, err] = [new Screen(), new Screen()];
    const status = await runCommand({ args: ["--once", ...args], env: {}, out, err });
    assert.match(err.text, expected);
    assert.deepEqual([status, out.text], [2, ""]);
  }
});
