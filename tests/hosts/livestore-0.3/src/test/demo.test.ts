// Does the demo show a rollout that is rolled back, and lose nothing?
import assert from "node:assert/strict";
import { test } from "node:test";
import { Demo } from "../job/demo.js";
import { Terminal } from "../job/terminal.js";

test("a fault rolls everybody back, and every execution runs exactly once", { timeout: 120_000 }, async () => {
  let text = "";
  const out = { write: (more: string) => (text += more) };
  const status = await new Demo({ terminal: new Terminal(out, out, false), stage_ms: 1500 }).run();
  assert.equal(status, 0, text);
  for (const expected of [
    /25 %: the registry serves \d+ of them/,
    /\n *\d+\.\d s {4}\d+ executions compared, 0 differ\n/,
    /mismatch in notebook demo-\d\d, execution/,
    /the guard rolls back notebook demo-\d\d/,
    /the guard rolls back everywhere/,
    /put in force again: (\d+) of \1 stay on the old path/,
    /(\d+) requested, \1 executed exactly once, 0 lost, 0 doubled\n$/,
  ]) {
    assert.match(text, expected);
  }
});
