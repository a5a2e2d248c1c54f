// Does what one process has learned of noise, and counted against notebooks, hold for the next?
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { folder, runs } from "./helpers.mjs";

/**
 * A process whose old path shows another number at each run of one cell. It is compared with itself so many times, then with the
 * registry, then with a candidate that drops the output.
 */
const lives = (latch, { aa = 0, compared = 0, dropped = 0 }) => runs(`
  import { bridge, configure } from "runtime-bridge";
  import { HtmlRuntime } from "runtime-bridge/legacy";
  import { seedCandidateFault } from "runtime-bridge/testing";
  import { Notebook, diagnostics, notice, route, until } from "./tests/helpers.mjs";
  class Dicing extends HtmlRuntime {
    executeCode(cellId, code) {
      return super.executeCode(cellId, code.replace("0000", String(1000 + Math.floor(Math.random() * 9000))));
    }
  }
  const verdicts = [];
  bridge.on("comparison", ({ executions }) => {
    verdicts.push(...executions.map(({ verdict }) => verdict));
    notice();
  });
  configure({ guard: { latch: ${JSON.stringify(latch)} } });
  route("shadow");
  const notebook = await Notebook.open(undefined, { cells: { a: "<b>fixed 0000</b>" } });
  await notebook.start(Dicing);
  const execute = async (times) => {
    for (let time = 0; time < times; time += 1) {
      const at = verdicts.length;
      notebook.request(["q" + at, "a"]);
      await until("the verdict", () => verdicts.length > at);
    }
  };
  configure({ shadow: { aa: true } });
  await execute(${aa});
  configure({ shadow: { aa: false } });
  await execute(${compared});
  seedCandidateFault("dropped-output");
  await execute(${dropped});
  const { latched, totals, notebooks } = bridge.status().guard;
  const scopes = latched.map(({ scope }) => typeof scope === "string" ? scope : Object.keys(scope)[0]);
  console.log(JSON.stringify({ verdicts, scopes, totals, notebooks, codes: diagnostics.map(({ code }) => code) }));
  await notebook.close();
`).then((stdout) => JSON.parse(stdout.trim().split("\n").at(-1)));

/** A process that has learned that the number is noise. */
const learned = async (t) => {
  const latch = join(folder(t), "latch");
  const { verdicts, scopes } = await lives(latch, { aa: 3, compared: 2 });
  assert.deepEqual([verdicts.slice(0, 2), verdicts.slice(3), scopes], [["mismatch", "mismatch"], ["noise", "noise"], []]);
  return latch;
};

test("a restart in the middle of noise rolls nothing back, and a real change beside it is still seen", async (t) => {
  const latch = await learned(t);
  for (const compared of [3, 5]) {
    const { verdicts, scopes, codes } = await lives(latch, { compared, dropped: 1 });
    assert.deepEqual(verdicts, [...Array.from({ length: compared }, () => "noise"), "mismatch"]);
    assert.deepEqual([scopes, codes.filter((code) => code.startsWith("NOISE"))], [[], []]);
  }
  rmSync(`${latch}.noise`);
  const { verdicts, scopes } = await lives(latch, { compared: 2 });
  assert.deepEqual([verdicts, scopes], [["mismatch", "mismatch"], ["notebook"]], "noise that is forgotten is a rollback");
});

test("what is kept of noise holds nothing that users have written", async (t) => {
  const kept = readFileSync(`${await learned(t)}.noise`, "utf8");
  assert.match(kept, /outputs\[0\]/);
  assert.doesNotMatch(kept, /fixed/);
});

test("a file that is damaged is set aside and told, and what is latched is not touched by it", async (t) => {
  const latch = await learned(t);
  const kept = readFileSync(`${latch}.noise`, "utf8");
  writeFileSync(`${latch}.noise`, kept.replace("outputs[0]", "outputs[1]"));
  const { verdicts, scopes, codes } = await lives(latch, { aa: 3, compared: 1 });
  assert.deepEqual([verdicts.at(0), verdicts.at(-1), scopes], ["mismatch", "noise", []]);
  assert.deepEqual(codes.filter((code) => code.startsWith("NOISE")), ["NOISE_UNREADABLE"]);
  assert.ok(existsSync(`${latch}.noise.unreadable`));
  const { codes: later } = await lives(latch, { compared: 1 });
  assert.deepEqual(later.filter((code) => code.startsWith("NOISE")), [], "what was learned since is kept");
});

test("test 40 across restarts: the mismatch of one notebook says nothing of the others, those of four say enough", async (t) => {
  const latch = join(folder(t), "latch");
  for (const before of [0, 1, 2, 3]) {
    const { scopes, totals, notebooks } = await lives(latch, { dropped: 1 });
    assert.deepEqual([totals.mismatched, notebooks], [before + 1, before + 1]);
    assert.deepEqual(scopes, before === 3 ? ["everywhere"] : []);
  }
});
