// Does the main job run every requested cell exactly once, on whichever route, and refuse what it cannot run?
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { seedCandidateFault } from "runtime-bridge/testing";
import { runCommand } from "../job/command.js";
import { InputError, newsText } from "../job/failure.js";
import { Job } from "../job/job.js";
import { loadNotebooks } from "../job/notebooks.js";
import { parseOptions } from "../job/options.js";
import type { JobReport } from "../job/report.js";
import { Terminal, type Output } from "../job/terminal.js";

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
      variants: { legacy: "legacy", shadow: "shadow", live: "live", registry: "registry" },
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

test("options are read, and what is no option is refused with the usage", () => {
  assert.deepEqual(parseOptions(["--json", "--flags", "f.json", "a.ipynb", "b.ipynb"]), {
    flags: "f.json",
    once: true,
    json: true,
    verbose: false,
    help: false,
    demo: false,
    candidateFault: null,
    notebooks: ["a.ipynb", "b.ipynb"],
  });
  for (const [args, message] of [
    [["--onec"], "unknown option `--onec`"],
    [["--flags"], "option `--flags <value>` argument missing"],
    [["--once=yes"], "option `--once` does not take an argument"],
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

/** Two faults of an execution's end, one of its place, four of what it shows. */
const FAULTS = [
  "dropped-terminal",
  "failed-terminal",
  "late-output",
  "dropped-output",
  "doubled-output",
  "changed-character",
  "wrong-execution-count",
];

test("on the routes that compare the paths agree, and what is spoiled in a candidate costs the exit status", DEADLINE, async (t) => {
  t.after(() => seedCandidateFault(null));
  const notebook = notebookFile("compared.ipynb", "<p>1</p>", "<p>2</p>");
  for (const route of ["shadow", "live"]) {
    const flagFile = write(`${route}.json`, flags(route));
    for (const fault of [null, ...FAULTS]) {
      seedCandidateFault(fault);
      const { job, out } = await openJob(flagFile, [notebook], true);
      assert.equal(await job.once(), fault === null ? 0 : 1, `${fault} on ${route}`);
      const { comparison, accounting } = JSON.parse(out.text) as JobReport;
      const expected = fault === null ? [0, 2, 0] : [0, 0, 2];
      assert.deepEqual([comparison.match, comparison.known, comparison.mismatch], expected, `${fault} on ${route}`);
      assert.equal(accounting.executedOnce, 2, "what serves is untouched");
    }
  }
});

test("the command spoils candidates too", DEADLINE, () => {
  write("shadow.json", flags("shadow"));
  notebookFile("compared.ipynb", "<p>1</p>");
  const { status, out, err } = spawned(["--flags", "shadow.json", "--candidate-fault", "changed-character", "compared.ipynb"]);
  assert.equal(status, 1, err);
  assert.match(out, /1 compared: 0 match, 0 known, 1 mismatch\nmismatch: .*: outputs\[0\].* legacy "<p>1<\/p>", registry "<p>1<\/p\?"/);
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
    [["--candidate-fault", "nope"], /^error: .*`nope` \[UNKNOWN_FAULT\]\n {2}hint: the faults are: dropped-terminal/],
    [["--nope"], /^error: unknown option `--nope` \[USAGE\]\n {2}hint: see the usage\n\nusage: npm start/],
  ] as const) {
    const [out, err] = [new Screen(), new Screen()];
    const status = await runCommand({ args: ["--once", ...args], env: {}, out, err });
    assert.match(err.text, expected);
    assert.deepEqual([status, out.text], [2, ""]);
  }
});
