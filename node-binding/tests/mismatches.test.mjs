// Are mismatches written down when the host asks for it, without a word of what its users wrote?
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { bridge, configure, shutdown } from "runtime-bridge";
import { seedCandidateFault } from "runtime-bridge/testing";
import { Notebook, diagnostics, folder, notice, reported, route, until } from "./helpers.mjs";

bridge.on("comparison", notice);

/** Long enough that no time, seed or hash in a record holds them by chance. */
const TOLD = ["Lovelace", "4200170042001700"];
const CELLS = { a: `<b>${TOLD[0]}</b>\n<i>${TOLD[1]}</i>` };
const namesIn = (place) => readdirSync(place).filter((name) => name !== "counts.json").sort();
const readAll = (place) => namesIn(place).map((name) => JSON.parse(readFileSync(join(place, name), "utf8")));

/** Runs so many executions on `shadow`, each with a fault, into this folder. */
const mismatch = async (t, place, options = {}, executions = 1) => {
  t.after(() => seedCandidateFault(null));
  configure({ mismatches: { folder: place, ...options } });
  const notebook = await Notebook.open(t, { cells: CELLS });
  route("shadow");
  await notebook.start();
  seedCandidateFault("changed-character");
  const { seen } = bridge.status().mismatches;
  notebook.request(...Array.from({ length: executions }, (_, at) => [`q${at}`, "a"]));
  await notebook.untilCompleted(executions);
  await until("the records", () => bridge.status().mismatches.seen === seen + executions);
  return notebook;
};

test("nothing is written until a folder is named", () => {
  assert.equal(bridge.status().mismatches, null);
});

test("a record says where the paths differ, and nothing of what was written", async (t) => {
  const place = join(folder(t), "mismatches");
  const notebook = await mismatch(t, place);
  const [record] = readAll(place);
  const { differences: [{ path, at }], reproduces, route: decision, seededFault } = record;
  assert.deepEqual([path, at], ["outputs[0].representations.text/html.inline", { offset: 38, line: 2, column: 23 }]);
  assert.deepEqual([reproduces, decision.route, seededFault], [true, "shadow", "changed-character"]);
  const text = JSON.stringify(record);
  for (const told of [...TOLD, notebook.id]) assert.ok(!text.includes(told), told);
  const { folder: named, sources, signatures, seen, kept, failed } = bridge.status().mismatches;
  assert.deepEqual([named, sources, signatures, seen, kept, failed], [place, "redacted", 1, 1, 1, 0]);
});

test("sources are kept where the host says so", async (t) => {
  const place = folder(t);
  await mismatch(t, place, { sources: "full" });
  assert.match(JSON.stringify(readAll(place)), /<b>Lovelace<\/b>/);
});

test("a storm leaves ten records, and every mismatch is counted", async (t) => {
  const place = folder(t);
  await mismatch(t, place, {}, 60);
  const { seen, kept, sampledOut, replaced } = bridge.status().mismatches;
  assert.deepEqual([seen, kept, kept + sampledOut + replaced], [60, 10, 60]);
  assert.equal(namesIn(place).length, 10);
  await shutdown();
  configure({ mismatches: { folder: place } });
  assert.equal(bridge.status().mismatches.seen, 60, "counts outlive the process");
});

test("a folder that cannot be written is told once, and nothing fails with it", async (t) => {
  const file = join(folder(t), "file");
  writeFileSync(file, "not a folder");
  const since = diagnostics.length;
  const notebook = await mismatch(t, join(file, "below"));
  notebook.assertEachRanOnce([["q0", "a"]]);
  assert.equal(reported("MISMATCHES_NOT_KEPT", since).length, 1);
  assert.equal(bridge.status().mismatches.failed, 1);
});

test("bad options are refused by name, and change nothing", (t) => {
  const place = folder(t);
  configure({ mismatches: { folder: place } });
  const bad = [
    [{ folder: "" }, /`mismatches.folder` cannot be `""`/],
    [{ folder: 5 }, /`mismatches.folder` cannot be `5`/],
    [{ sources: "full" }, /`mismatches.folder` cannot be `null`/],
    [{ folder: "elsewhere", sources: "Full" }, /`mismatches.sources` cannot be `"Full"`/],
  ];
  for (const [mismatches, message] of bad) {
    assert.throws(() => configure({ mismatches }), (error) => {
      assert.equal(error.code, "BAD_OPTION");
      assert.match(error.message, message);
      assert.ok(error.help.length > 0);
      return true;
    });
  }
  assert.equal(bridge.status().mismatches.folder, place);
});
