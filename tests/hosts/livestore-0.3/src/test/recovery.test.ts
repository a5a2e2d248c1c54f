// What does a process find that comes after one that was killed or has ended in its work, and what does it make of it?
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { LIVESTORE } from "../store.js";
import { CELLS, type Death, DRAINED_CELLS, type EndedDrain, enteredFile } from "./death.js";
import type { Recovery } from "./recoveringProcess.js";

const IDS = CELLS.map((cell) => `q${cell}`);

interface Ended {
  readonly signal: unknown;
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (program: string, death: Death | EndedDrain): Promise<Ended> =>
  new Promise((resolve) => {
    const path = fileURLToPath(new URL(`${program}.js`, import.meta.url));
    execFile(process.execPath, [path, JSON.stringify(death)], { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ signal: error?.signal ?? null, code: error?.code ?? 0, stdout, stderr });
    });
  });

const folder = (t: TestContext): string => {
  const directory = mkdtempSync(join(tmpdir(), "dying-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
};

/** What a process has printed last: what became of each notebook. */
const recoveriesOf = ({ stdout, stderr }: Ended): Recovery[] => {
  const line = stdout.trim().split("\n").at(-1) ?? "";
  assert.match(line, /^\[/, stderr);
  return JSON.parse(line) as Recovery[];
};

/** Has a process killed, and gives what the next one made of it. */
const recovered = async (t: TestContext, death: Omit<Death, "directory">): Promise<{ all: Recovery[]; entered: string[] }> => {
  const directory = folder(t);
  const whole = { ...death, directory };
  const dead = await run("dyingProcess", whole);
  assert.equal(dead.signal, "SIGKILL", dead.stderr);
  const all = recoveriesOf(await run("recoveringProcess", whole));
  const file = enteredFile(directory);
  const entered = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  return { all, entered };
};

const isOver = (status: string | undefined): boolean => ["completed", "failed", "cancelled"].includes(status ?? "");

/** Nothing that had been started is run again, each entry has one end, what was waiting has run, and one session is left. */
const check = ({ found, left, started, ended, active }: Recovery, what: string, ids = IDS): void => {
  assert.deepEqual(Object.keys(found).sort(), ids, `${what}: no request is lost`);
  for (const id of ids) {
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

/** Whatever waits for something that nobody gives back ends with its time limit, by a signal. */
const assertEndedInOrder = ({ code, signal, stderr }: Ended): void => {
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: "" });
};

const drainOf = (t: TestContext, how: Pick<EndedDrain, "from" | "at" | "by" | "next">): EndedDrain => {
  const directory = folder(t);
  return { ...how, directory, latch: join(directory, "latch"), flags: join(directory, "flags.json") };
};

/** What was left in the middle of a drain: the guard has nothing to say of it, and nothing is lost or doubled. */
const checkDrain = ([recovery]: Recovery[], at: EndedDrain["at"]): void => {
  assert.ok(recovery);
  check(recovery, at, DRAINED_CELLS.map((cell) => `q${cell}`));
  if (at === "waiting") assert.deepEqual(Object.values(recovery.found), ["completed", "executing", "assigned", "pending"]);
  assert.deepEqual([recovery.errors, recovery.rolledBack], [[], 0]);
};

const nextProcess = async (drain: EndedDrain): Promise<Ended> => {
  const ended = await run("recoveringProcess", { ...drain, path: "flip", mode: "exact", commits: [0] });
  assertEndedInOrder(ended);
  return ended;
};

for (const [from, at] of [["shadow", "waiting"], ["separate", "waiting"], ["legacy", "announcing"]] as const) {
  test(`test 15: process.exit in the middle of a drain from ${from}, ${at}: the next process finds nothing in its way`, async (t) => {
    const drain = drainOf(t, { from, at, by: "itself", next: "process" });
    assertEndedInOrder(await run("drainingProcess", drain));
    checkDrain(recoveriesOf(await nextProcess(drain)), at);
  });
}

/** An addon of LiveStore 0.4 (`@parcel/watcher`) can be loaded once in a process: no second thread of it can open a store. */
const next = LIVESTORE === "0.4" ? "process" : "worker";

for (const [from, at, by] of [
  ["shadow", "waiting", "others"],
  ["separate", "waiting", "others"],
  ["legacy", "announcing", "itself"],
] as const) {
  test(`test 15: a worker that ends by ${by} in the middle of a drain from ${from}, ${at}: the next worker finds nothing in its way`, async (t) => {
    const drain = drainOf(t, { from, at, by, next });
    const ended = await run("drainingWorkers", drain);
    assertEndedInOrder(ended);
    checkDrain(recoveriesOf(next === "worker" ? ended : await nextProcess(drain)), at);
  });
}
