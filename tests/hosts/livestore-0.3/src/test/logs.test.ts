// Does the command line read the event log that a real store keeps on disk, and leave it alone?
//
// The store of a host is filled by the old code, closed, and looked at; LiveStore's version decides the form of its file.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { queryDb } from "@livestore/livestore";
import { HtmlRuntime } from "../old/index.js";
import { tables as tableDefs } from "../schema.js";
import { closeStore, commit, type EncodedEvent, follow, type JsonObject, LIVESTORE, openStore, type Store } from "../store.js";

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));
const TEMPORARY = join(ROOT, "target/tmp");
const CELLS = ["<h1>One</h1>", "<p>Zwei — 2</p>", ""];

const command = (...args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync("cargo", ["run", "--quiet", "--package", "bridge-cli", "--", ...args], { cwd: ROOT, encoding: "utf8" });

const request = (at: number, cell: number): EncodedEvent => ({
  name: "v1.ExecutionRequested",
  args: { queueId: `q${at}`, cellId: `c${cell}`, executionCount: at, requestedBy: "ada" },
});

const cell = (source: string, at: number): readonly EncodedEvent[] => [
  { name: "v2.CellCreated", args: { id: `c${at}`, fractionalIndex: `a${at}`, cellType: "code", createdBy: "ada" } },
  { name: "v1.CellSourceChanged", args: { id: `c${at}`, source, modifiedBy: "ada" } },
];

/** Resolves once so many entries have completed. */
const completed = (store: Store, count: number): Promise<void> =>
  new Promise((resolve) => {
    follow(store, queryDb(tableDefs.executionQueue.where({ status: "completed" })), (rows) => {
      if (rows.length === count) resolve();
    });
  });

/** A notebook on disk in which the old code has run each cell, the first one twice; another entry waits in vain. */
const notebook = async (directory: string): Promise<string> => {
  const store = await openStore({ storeId: "nb-log", directory });
  commit(store, ...CELLS.flatMap(cell));
  const runtime = new HtmlRuntime({ store, userId: "ada" });
  await runtime.start("nb-log");
  const done = completed(store, CELLS.length + 1);
  CELLS.forEach((_, at) => commit(store, request(at + 1, at)));
  commit(store, request(CELLS.length + 1, 0));
  await done;
  await runtime.stop();
  commit(store, request(9, 0), { name: "v1.PresenceSet", args: { userId: "ada" } });
  await closeStore(store);
  const folder = join(directory, "nb-log");
  const log = readdirSync(folder).find((name) => name.startsWith("eventlog@"));
  assert.ok(log);
  return join(folder, log);
};

const contents = (file: string): Record<string, string> => {
  const folder = join(file, "..");
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "base64")]));
};

test(`the log of LiveStore ${LIVESTORE} is read as it lies`, { timeout: 120_000 }, async () => {
  mkdirSync(TEMPORARY, { recursive: true });
  const directory = mkdtempSync(join(TEMPORARY, "log-"));
  try {
    const file = await notebook(directory);
    const before = contents(file);

    const audit = command("audit", file, "--json");
    assert.equal(audit.status, 1, audit.stderr);
    const [found] = JSON.parse(audit.stdout) as JsonObject[];
    assert.equal(found?.["notebook"], "nb-log");
    assert.equal(found?.["form"], `LiveStore ${LIVESTORE}`);
    assert.deepEqual(found?.["faults"], { lost: 1 });
    assert.deepEqual(found?.["found"], { "never-claimed": 1 });

    const parity = command("parity", file, "--json");
    assert.equal(parity.status, 0, parity.stderr);
    const report = JSON.parse(parity.stdout) as { notebooks: { parity: JsonObject }[] };
    const replayed = report.notebooks[0]?.parity;
    const legacy = { compared: 4, deviating: 0, byManager: 0, doubled: 0, deviations: [] };
    assert.deepEqual(replayed?.["recorded"], { legacy });
    assert.deepEqual([replayed["executions"], replayed["replayed"], replayed["mismatched"]], [5, 4, 0]);

    const state = command("audit", join(file, "..", Object.keys(before).find((name) => name.startsWith("state")) ?? ""));
    assert.equal(state.status, 2);
    assert.match(state.stderr, /LiveStore's tables[^]*hint: name the file `eventlog@….db`/);
    assert.deepEqual(contents(file), before);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
