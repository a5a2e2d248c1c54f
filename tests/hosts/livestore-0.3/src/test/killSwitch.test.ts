// Does the kill switch take every notebook back, in each of its ways, when everything else has gone wrong?
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bridge, BridgeError, configure } from "runtime-bridge";
import { Bound, cellIds, diagnostics, drained, pathOf, route, routeDocument, until } from "./bound.js";
import { eventually } from "./pair.js";

const REASON = "orders are doubled";

/** A folder of the test's own. */
const folder = (t: TestContext): string => {
  const path = mkdtempSync(join(tmpdir(), "kill-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

/** Whatever a test has thrown is let go of, and the next begins with flags that send everything to the registry. */
const armed = (t: TestContext): void => {
  t.after(() => {
    configure({ killFile: null });
    if (bridge.status().kills.length > 0) bridge.unkill("the test is over");
  });
  route("registry", "drain");
};

const codesSince = (since: number): string[] => diagnostics.slice(since).map(({ code }) => code);

/** Writes a file as another process would; this one's event loop stands still meanwhile. */
const writeElsewhere = (path: string, text: string): void => {
  execFileSync(process.execPath, ["-e", "fs.writeFileSync(process.argv[1], process.argv[2])", path, text]);
};

/** Waits without giving the event loop a turn. */
const standStillUntil = (condition: () => boolean): void => {
  const deadline = performance.now() + 20_000;
  while (!condition()) assert.ok(performance.now() < deadline, "waited in vain");
};

/** The kill file that is followed from now on. */
const followed = (t: TestContext): string => {
  const file = join(folder(t), "kill");
  configure({ killFile: file });
  return file;
};

test("a call takes a running session back at once, and nothing but another call lets it go", async (t) => {
  armed(t);
  const cells = cellIds(6);
  const notebook = await Bound.open(t, 6);
  const runtime = await notebook.start();
  notebook.request(...cells.slice(0, 3));
  const since = diagnostics.length;
  bridge.kill(REASON, { by: "an operator" });
  bridge.kill("again");
  await notebook.on(runtime, "legacy");
  notebook.request(...cells.slice(3));
  await notebook.untilCompleted(6);
  notebook.assertEachRanOnce(cells);
  assert.deepEqual(codesSince(since).filter((code) => code.startsWith("KILL")), ["KILLED"]);
  const [kill, ...more] = bridge.status().kills;
  assert.deepEqual([kill?.way, kill?.reason, kill?.by, kill?.isDoubtful, more], ["call", REASON, "an operator", false, []]);
  assert.deepEqual(
    [bridge.route(notebook.id).route, bridge.route(notebook.id).reason, bridge.route(notebook.id).generation > 0],
    ["legacy", "killed", true],
  );
  assert.match(bridge.explain(notebook.id)?.text ?? "", /^the kill switch is on, by a call: orders are doubled\n/);

  assert.throws(() => bridge.unkill(" "), (error) => error instanceof BridgeError && error.code === "UNKILL_WITHOUT_REASON");
  assert.throws(() => bridge.rearm("no"), (error) => error instanceof BridgeError && error.code === "NOT_LATCHED");
  assert.equal(notebook.serving, "legacy");
  bridge.unkill("fixed");
  await notebook.on(runtime, "registry");
  assert.deepEqual(bridge.explain(notebook.id)?.overruledBy, []);
  assert.throws(() => bridge.unkill("twice"), (error) => error instanceof BridgeError && error.code === "NOT_KILLED");
});

test("a disabled flag kills, and is ended where it was written", async (t) => {
  armed(t);
  const notebook = await Bound.open(t, 1);
  const runtime = await notebook.start();
  const document = routeDocument("registry", "next-session");
  document.flags["runtime-route"].state = "DISABLED";
  configure({ flags: document });
  await notebook.on(runtime, "legacy");
  assert.equal(bridge.route(notebook.id).reason, "killed");
  assert.deepEqual(bridge.status().kills, []);
});

test("a file kills while it is there", async (t) => {
  armed(t);
  const file = followed(t);
  const notebook = await Bound.open(t, 2);
  const runtime = await notebook.start();
  assert.equal(notebook.serving, "registry");
  writeFileSync(file, "see the incident channel\n");
  await notebook.on(runtime, "legacy");
  await until("its words", () => bridge.status().kills[0]?.reason === "see the incident channel");
  notebook.request("c000");
  await notebook.untilCompleted(1);
  bridge.kill("by a call too");
  rmSync(file);
  await until("the release", () => diagnostics.at(-1)?.code === "KILL_RELEASED");
  await drained();
  assert.equal(notebook.serving, "legacy", "the call still holds");
  const since = diagnostics.length;
  writeFileSync(file, "");
  await until("the file", () => bridge.status().kills.length === 2);
  bridge.unkill("the file is enough");
  assert.ok(codesSince(since).includes("STILL_KILLED"));
  rmSync(file);
  await notebook.on(runtime, "registry");
  notebook.assertEachRanOnce(["c000"]);
});

test("with the event loop blocked, the first admission after it is killed, and so is the first step of a running session", async (t) => {
  armed(t);
  const file = followed(t);
  const running = await Bound.open(t, 1);
  const session = await running.start();
  const other = await Bound.open(t, 1);
  assert.equal(running.serving, "registry");
  writeElsewhere(file, REASON);
  standStillUntil(() => bridge.status().kills.length === 1);
  const started = other.start();
  assert.equal(other.serving, "legacy", "in the same turn");
  running.request("c000");
  await started;
  await running.on(session, "legacy");
  await running.untilCompleted(1);
  running.assertEachRanOnce(["c000"]);
  assert.equal(other.all("v1.RuntimeSessionStarted").length, 1);
});

test("a new path whose every commit is refused does not keep its sessions", async (t) => {
  armed(t);
  const notebook = await Bound.open(t, 2);
  const runtime = await notebook.start();
  notebook.beforeCommit = (committed) => {
    const isRegistrys = committed.some(({ args }) => pathOf(args["runtimeSessionId"] as string | undefined) === "registry");
    if (isRegistrys) throw new Error("not now");
  };
  notebook.request("c000", "c001");
  await until("the wedge", () => notebook.status.executions.terminal === 0 && runtime.getState().status === "error");
  bridge.kill(REASON);
  await until("the old path", () => notebook.serving === "legacy");
  await notebook.untilCompleted(2);
  notebook.assertEachRanOnce(["c000", "c001"]);
});

test("flags that cannot be read any more do not hold up a kill", async (t) => {
  armed(t);
  const directory = join(folder(t), "etc");
  mkdirSync(directory);
  const flags = join(directory, "flags.json");
  writeFileSync(flags, JSON.stringify(routeDocument("registry")));
  configure({ flags });
  t.after(() => route("registry"));
  const notebook = await Bound.open(t, 1);
  const runtime = await notebook.start();
  const since = diagnostics.length;
  writeFileSync(flags, "{ half of a docum");
  await until("the refusal", () => codesSince(since).includes("FLAGS_REJECTED"));
  renameSync(directory, `${directory}.away`);
  writeFileSync(directory, "no directory");
  assert.equal(bridge.route(notebook.id).route, "registry", "the last good document stays in force");
  bridge.kill(REASON);
  await notebook.on(runtime, "legacy");
  notebook.request("c000");
  await notebook.untilCompleted(1);
  notebook.assertEachRanOnce(["c000"]);
});

test("a source that pushes everything to the registry every ten milliseconds undoes nothing", async (t) => {
  armed(t);
  const flags = join(folder(t), "flags.json");
  let pushed = 0;
  const push = (): void => {
    const document = routeDocument("registry", "now");
    // Another document each time: the same again would be no news.
    const text = JSON.stringify({ ...document, metadata: { pushed: (pushed += 1) } });
    writeFileSync(`${flags}.new`, text);
    renameSync(`${flags}.new`, flags);
  };
  push();
  configure({ flags });
  t.after(() => route("registry"));
  const cells = cellIds(20);
  const notebook = await Bound.open(t, 20);
  const runtime = await notebook.start();
  assert.equal(notebook.serving, "registry");
  bridge.kill(REASON);
  await notebook.on(runtime, "legacy");
  const before = bridge.status().flags.generation;
  const pushing = setInterval(push, 10);
  t.after(() => clearInterval(pushing));
  for (const cell of cells) {
    notebook.request(cell);
    await notebook.untilCompleted(1 + cells.indexOf(cell));
    assert.equal(notebook.serving, "legacy");
  }
  await eventually("twenty documents", () => bridge.status().flags.generation > before + 20);
  clearInterval(pushing);
  assert.equal(notebook.serving, "legacy");
  assert.equal(notebook.all("v1.RuntimeSessionStarted").length, 2, "the registry's, and the old path's ever since");
  notebook.assertEachRanOnce(cells);
});

/** What a process of its own says about a notebook that its flags send to the registry. */
interface Told {
  readonly path: string;
  readonly reason: unknown;
  readonly codes: readonly string[];
  readonly isDoubtful: readonly boolean[];
}

const told = async (environment: Record<string, string>): Promise<Told> => {
  const program = fileURLToPath(new URL("killedProcess.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env: { ...process.env, ...environment } });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Told;
};

const REGISTRY: Told = { path: "registry", reason: "static", codes: [], isDoubtful: [] };
const MEANT: Told = { path: "legacy", reason: "killed", codes: ["KILLED"], isDoubtful: [false] };
const DOUBTFUL: Told = { path: "legacy", reason: "killed", codes: ["KILLED_IN_DOUBT"], isDoubtful: [true] };

test("a variable of the environment kills from the start, and so does whatever is not a clear no", async () => {
  const values = ["0", "1", "false", ""];
  const all = await Promise.all(values.map((value) => told({ RUNTIME_BRIDGE_KILL: value })));
  assert.deepEqual(all, [REGISTRY, MEANT, DOUBTFUL, DOUBTFUL]);
});

test("a file that the environment names kills from the start, and so does one that nobody can look for", async (t) => {
  const file = join(folder(t), "kill");
  writeFileSync(file, "");
  chmodSync(file, 0);
  const files = [`${file}.none`, file, join(file, "kill")];
  const all = await Promise.all(files.map((path) => told({ RUNTIME_BRIDGE_KILL_FILE: path })));
  assert.deepEqual(all, [REGISTRY, MEANT, DOUBTFUL]);
});

test("a kill by a call outlives the process where the guard has a latch", async (t) => {
  const latch = join(folder(t), "latch");
  assert.deepEqual(await told({ LATCH: latch, CALL: REASON }), MEANT);
  assert.deepEqual(await told({ LATCH: latch }), MEANT);
});
