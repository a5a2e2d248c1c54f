// Does what serves go on whatever a candidate does, and is it told what the candidate did?
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { bridge, configure } from "runtime-bridge";
import { candidateBreakdowns, seedCandidateFault } from "runtime-bridge/testing";
import { folder, run as runScript } from "./helpers.mjs";

/** A backtrace is slower to write than a candidate may take. */
const run = (script) => runScript(script, { env: { RUST_BACKTRACE: "0" } });

const runs = async (script) => {
  const { code, signal, stdout, stderr } = await run(script);
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, `${stdout}${stderr}`);
  return stdout;
};

/** Serves executions one by one on `shadow` while candidates break down; says what became of each, and of the bridge. */
const serving = ({ breakdown, executions, latch, then = "" }, shadow = {}) => `
  import { bridge, configure, shutdown } from "runtime-bridge";
  import { seedCandidateFault } from "runtime-bridge/testing";
  import { Notebook, cellsAndRequests, diagnostics, notice, route, until } from "./tests/helpers.mjs";
  const [verdicts, modes] = [[], []];
  bridge.on("comparison", ({ executions, mode }) => {
    modes.push(mode ?? "paths");
    verdicts.push(...executions.map(({ verdict, why, differences }) => why ?? differences?.[0]?.registry ?? verdict));
    notice();
  });
  const { cells, requests } = cellsAndRequests(${executions});
  configure({ guard: ${JSON.stringify(latch ? { latch } : {})}, shadow: ${JSON.stringify(shadow)} });
  route("shadow");
  const notebook = await Notebook.open(undefined, { cells });
  const runtime = await notebook.start();
  seedCandidateFault(${JSON.stringify(breakdown)});
  for (const [at, request] of requests.entries()) {
    notebook.request(request);
    await notebook.untilCompleted(at + 1);
    ${then || `await until("the verdict", () => {
      const { comparisons } = bridge.status().notebooks[0];
      return comparisons.compared + bridge.status().shadow.shed > at;
    });`}
  }
  notebook.assertEachRanOnce(requests);
  const { shadow, guard } = bridge.status();
  const { aa } = bridge.status().notebooks[0].comparisons;
  console.log(JSON.stringify({ verdicts, modes, aa, shadow, guard, codes: diagnostics.map(({ code }) => code), route: bridge.route(notebook.id) }));
  await runtime.stop();
  await notebook.close();
`;

/** What a script has printed last. */
const said = (stdout) => JSON.parse(stdout.trim().split("\n").at(-1));

const count = (codes, code) => codes.filter((one) => one === code).length;

test("every breakdown has a name, and unknown ones are refused with it", () => {
  assert.deepEqual(candidateBreakdowns(), ["hang", "spin", "late", "panic", "flood", "abort", "stack-overflow"]);
  assert.throws(() => seedCandidateFault("nope"), { code: "UNKNOWN_FAULT", help: /stack-overflow/ });
});

for (const breakdown of ["hang", "spin"]) {
  test(`${breakdown}: three times, then the shadow is off; what serves goes on and the process ends`, async () => {
    const { verdicts, shadow, codes } = said(await runs(serving({ breakdown, executions: 5 })));
    assert.deepEqual(verdicts, ["timeout", "timeout", "timeout"]);
    assert.deepEqual([shadow.isOff, shadow.wedged, shadow.timedOut, shadow.shed, shadow.waiting], [true, 3, 3, 2, 0]);
    assert.deepEqual([count(codes, "SHADOW_TIMED_OUT"), count(codes, "SHADOW_OFF")], [3, 1]);
  });
}

test("panic: the guard rolls the notebook back at once", async () => {
  const { verdicts, shadow, guard, route } = said(await runs(serving({ breakdown: "panic", executions: 1 })));
  assert.deepEqual([verdicts, shadow.panicked, guard.totals.incidents], [["panicked"], 1, 1]);
  assert.deepEqual(route.reason, { "rolled-back": "zero-tolerance" });
});

test("flood: it is cut off, and nothing is said of it", async () => {
  const { verdicts, shadow, guard } = said(await runs(serving({ breakdown: "flood", executions: 2 })));
  // A build for debugging may reach its deadline before it reaches the cap.
  assert.ok(verdicts.length === 2 && verdicts.every((verdict) => ["truncated", "timeout"].includes(verdict)), String(verdicts));
  assert.deepEqual([shadow.truncated + shadow.timedOut, shadow.isOff], [2, false]);
  assert.deepEqual([guard.totals.inconclusive, guard.latched], [2, []]);
});

/** A new process with the same latch: what it finds. */
const restarted = (latch) => runs(`
  import { bridge, configure } from "runtime-bridge";
  import { routes, diagnostics } from "./tests/helpers.mjs";
  configure({ guard: { latch: ${JSON.stringify(latch)} }, flags: routes("registry") });
  const { guard } = bridge.status();
  console.log(JSON.stringify({ codes: diagnostics.map(({ code }) => code), latched: guard.latched }));
  process.exit(0);
`).then(said);

for (const [breakdown, signals] of [["abort", ["SIGABRT"]], ["stack-overflow", ["SIGSEGV", "SIGABRT"]]]) {
  test(`${breakdown}: it takes the process along, and the next start knows; the second notebook is everywhere`, async (t) => {
    const latch = join(folder(t), "latch");
    const brought = () => run(serving({ breakdown, executions: 1, latch }));
    const first = await brought();
    assert.ok(signals.includes(first.signal), `${first.signal}\n${first.stderr}`);
    const { codes, latched } = await restarted(latch);
    assert.deepEqual([count(codes, "IN_FLIGHT_MARK"), count(codes, "ROLLED_BACK"), latched.length], [1, 1, 1]);
    assert.deepEqual([latched[0].tier, Object.keys(latched[0].scope)], ["zero-tolerance", ["notebook"]]);
    assert.match(latched[0].grounds, /in-flight-mark/);
    const again = await restarted(latch);
    assert.deepEqual([count(again.codes, "IN_FLIGHT_MARK"), again.latched.length], [0, 1]);
    // Another process, and so another notebook.
    assert.ok(signals.includes((await brought()).signal));
    const { latched: everywhere } = await restarted(latch);
    assert.equal(everywhere[0].scope, "everywhere");
    assert.deepEqual(readdirSync(join(latch, "..")).filter((name) => readFileSync(join(latch, "..", name), "latin1").startsWith("!")), []);
  });
}

test("a process that ends in order while a candidate hangs leaves no mark", async (t) => {
  const latch = join(folder(t), "latch");
  const then = `await until("the candidate", () => bridge.status().shadow.waiting === 0); process.exit(0);`;
  assert.equal((await run(serving({ breakdown: "hang", executions: 1, latch, then }))).code, 0);
  const { codes, latched } = await restarted(latch);
  assert.deepEqual([count(codes, "IN_FLIGHT_MARK"), latched], [0, []]);
});

const separate = { process: "separate" };

/** Prints the process for candidates of the script that this is put behind. */
const PRINT_CHILD = `
  const { execFileSync } = await import("node:child_process");
  const children = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(process.pid)]).toString().split("\\n");
  console.log(parseInt(children.find((child) => child.includes("shadow-process")), 10));
`;

/** Resolves once a process is gone that is nobody's child any more: nothing tells of its end. */
const gone = async (pid) => {
  for (let looks = 0; existsSync(`/proc/${pid}`) && looks < 1000; looks += 1) await delay(10);
  assert.ok(!existsSync(`/proc/${pid}`), `process ${pid} is still there`);
};

const onLinux = { skip: process.platform !== "linux" };

test("separate: candidates are compared in a process of their own, which goes when its host ends", onLinux, async () => {
  const then = `await until("the verdict", () => verdicts.length > at);`;
  const out = await runs(serving({ breakdown: null, executions: 3, then }, separate) + PRINT_CHILD);
  const [status, child] = out.trim().split("\n");
  const { verdicts, shadow } = JSON.parse(status);
  assert.deepEqual(verdicts, ["known", "known", "known"]);
  assert.deepEqual([shadow.isSeparate, shadow.compared, shadow.died], [true, 3, 0]);
  await gone(child);
});

test("separate, aa: what serves is compared with its own core in that process, and nothing differs", onLinux, async () => {
  const then = `await until("the verdict", () => verdicts.length > at);`;
  const out = await runs(serving({ breakdown: null, executions: 3, then }, { ...separate, aa: true }) + PRINT_CHILD);
  const [status, child] = out.trim().split("\n");
  const { verdicts, modes, aa, shadow, guard } = JSON.parse(status);
  assert.deepEqual([verdicts, modes], [["match", "match", "match"], ["aa", "aa", "aa"]]);
  assert.deepEqual(aa, { compared: 3, differed: 0 });
  assert.deepEqual([shadow.isSeparate, shadow.mode, shadow.compared, guard.totals.compared], [true, "aa", 3, 0]);
  await gone(child);
});

for (const [breakdown, verdict, differed] of [["panic", "panicked", 1], ["abort", "died", 1], ["spin", "timeout", 0]]) {
  test(`separate, aa, ${breakdown}: the verdict is \`${verdict}\`, and the guard hears nothing of it`, async () => {
    const then = `await until("the verdict", () => verdicts.length > at);`;
    const script = serving({ breakdown, executions: 1, then }, { ...separate, aa: true });
    const { verdicts, modes, aa, guard, route } = said(await runs(script));
    assert.deepEqual([verdicts, modes, aa.differed], [[verdict], ["aa"], differed]);
    assert.deepEqual([guard.totals.compared, guard.totals.incidents, guard.latched, route.route], [0, 0, [], "shadow"]);
  });
}

test("separate: a candidate that spins goes too when its host is killed", onLinux, async () => {
  const then = `await until("the candidate", () => bridge.status().shadow.waiting === 0);`;
  const script = serving({ breakdown: "spin", executions: 1, then }, separate).replace("await runtime.stop();", `${PRINT_CHILD} process.kill(process.pid, "SIGKILL");`);
  const { signal, stdout } = await run(script);
  assert.equal(signal, "SIGKILL");
  await gone(stdout.trim().split("\n").at(-1));
});

for (const [breakdown, verdict, counter, incidents] of [
  ["abort", "died", "died", 1],
  ["stack-overflow", "died", "died", 1],
  ["panic", "panicked", "panicked", 1],
  ["hang", "timeout", "timedOut", 0],
  ["spin", "timeout", "timedOut", 0],
]) {
  test(`separate, ${breakdown}: what serves goes on, and the verdict is \`${verdict}\``, async () => {
    const { verdicts, shadow, guard, route } = said(await runs(serving({ breakdown, executions: 1 }, separate)));
    assert.deepEqual([verdicts, shadow[counter], shadow.isOff, guard.totals.incidents], [[verdict], 1, false, incidents]);
    assert.equal(route.route, incidents > 0 ? "legacy" : "shadow");
  });
}

test("separate, flood: it is cut off, and nothing is said of it", async () => {
  const { verdicts, guard } = said(await runs(serving({ breakdown: "flood", executions: 1 }, separate)));
  assert.ok(["truncated", "timeout"].includes(verdicts[0]), verdicts[0]);
  assert.deepEqual([guard.totals.inconclusive, guard.latched], [1, []]);
});

test("separate: the candidate after one that died is compared again", async () => {
  const script = serving({
    breakdown: "abort",
    executions: 2,
    then: `await until("the verdict", () => verdicts.length > at); bridge.rearm("the test goes on"); seedCandidateFault(null);`,
  }, separate).replace(`bridge.rearm("the test goes on")`, `at === 0 && bridge.rearm("the test goes on")`);
  assert.deepEqual(said(await runs(script)).verdicts, ["died", "known"]);
});

test("a place for candidates that does not exist is refused", () => {
  assert.throws(() => configure({ shadow: { process: "elsewhere" } }), { code: "UNKNOWN_OPTION", help: /separate/ });
  assert.equal(bridge.status().shadow.isSeparate, false);
});
