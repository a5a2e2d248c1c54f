// What does a process find that comes after one that was killed, and what does it make of it?
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { CELLS, type Death, enteredFile } from "./death.js";
import type { Recovery } from "./recoveringProcess.js";

const IDS = CELLS.map((cell) => `q${cell}`);

interface Ended {
  readonly signal: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (program: string, death: Death): Promise<Ended> =>
  new Promise((resolve) => {
    const path = fileURLToPath(new URL(`${program}.js`, import.meta.url));
    execFile(process.execPath, [path, JSON.stringify(death)], { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ signal: error?.signal ?? null, stdout, stderr });
    });
  });

/** Has a process killed, and gives what the next one made of it. */
const recovered = async (t: TestContext, death: Omit<Death, "directory">): Promise<{ all: Recovery[]; entered: string[] }> => {
  const directory = mkdtempSync(join(tmpdir(), "dying-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const whole = { ...death, directory };
  const dead = await run("dyingProcess", whole);
  assert.equal(dead.signal, "SIGKILL", dead.stderr);
  const { stdout, stderr } = await run("recoveringProcess", whole);
  const line = stdout.trim().split("\n").at(-1) ?? "";
  assert.match(line, /^\[/, stderr);
  const file = enteredFile(directory);
  const entered = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  return { all: JSON.parse(line) as Recovery[], entered };
};

const isOver = (status: string | undefined): boolean => ["completed", "failed", "cancelled"].includes(status ?? "");

/** Nothing that had been started is run again, each entry has one end, what was waiting has run, and one session is left. */
const check = ({ found, left, started, ended, active }: Recovery, what: string): void => {
  assert.deepEqual(Object.keys(found).sort(), IDS, `${what}: no request is lost`);
  for (const id of IDS) {
    const before = found[id];
    const runs = started.filter((one) => one === id).length;
    const ends = ended.filter((one) => one === id).length;
    assert.equal(runs, before === "pending" || before === "assigned" ? 1 : 0, `${what}: runs of ${id}, found ${before}`);
    assert.equal(ends, isOver(before) ? 0 : 1, `${what}: ends of ${id}, found ${before}`);
    assert.equal(left[id], before === "executing" ? "failed" : "completed", `${what}: ${id}, found ${before}`);
  }
  assert.equal(active, 1, what);
};

/** Commits of a runtime over its life: the old path makes five for each execution and two for its session. */
const COMMITS = { legacy: 13, registry: 4, flip: 13 } as const;

for (const path of ["legacy", "registry", "flip"] as const) {
  test(`killed behind each commit, ${path}: what had been started ends, what had not runs, once`, async (t) => {
    const commits = Array.from({ length: COMMITS[path] + 1 }, (_, n) => n);
    const { all } = await recovered(t, { path, mode: "exact", commits });
    all.forEach((recovery, n) => check(recovery, `${path}, ${n} commits`));
    const found = new Set(all.flatMap(({ found }) => Object.values(found)));
    const expected = path === "registry" ? ["completed", "pending"] : ["assigned", "completed", "executing", "pending"];
    assert.deepEqual([...found].sort(), expected, "every point was met");
  });
}

for (const [path, commits] of [["legacy", 4], ["legacy", 7], ["registry", 2]] as const) {
  test(`killed within commit ${commits}, ${path}: the log on disk is whole up to some point`, async (t) => {
    const { all, entered } = await recovered(t, { path, mode: "at-once", commits: [commits] });
    for (const recovery of all) {
      check(recovery, `${path}, ${commits} commits`);
      const again = recovery.started.filter((id) => entered.includes(id));
      t.diagnostic(`entered before the kill: ${entered.length}, entered again because the log did not know: ${again.length}`);
    }
  });
}
