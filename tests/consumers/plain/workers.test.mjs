// Do worker threads have bridges of their own, and does a terminated one leave the rest alone?
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";

test("eight workers live and die beside the main thread, and the process ends by itself", () => {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["workers.mjs"], { encoding: "utf8", timeout: 60_000 });
  assert.deepEqual({ status, signal }, { status: 0, signal: null }, stderr);
  const { reports, ended, main } = JSON.parse(stdout);
  assert.equal(reports.length, 8);
  for (const [n, report] of reports.entries()) {
    assert.equal(report.route, n % 2 === 0 ? "registry" : "legacy");
    // Worker n has put n + 1 documents in force, of which it has to know alone.
    assert.equal(report.generation, n + 1);
    assert.deepEqual([report.isActive, report.registered], [true, [`worker-${n}`]]);
  }
  assert.equal(new Set(reports.map(({ runtimeId }) => runtimeId)).size, 8);
  // Those that were left alone have ended with 0, the others were terminated.
  assert.deepEqual(ended, [0, 1, 0, 1, 0, 1, 0, 1]);
  assert.deepEqual(main, { generation: 1, registered: ["main"], isActiveBefore: true, isActiveAfter: false, events: ["stopping", "inactive"] });
});
