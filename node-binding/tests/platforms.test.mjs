// Do package, release workflow and documentation speak of the same platforms?
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";

const { parseTriple } = createRequire(import.meta.url)("@napi-rs/cli");
const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const { targets } = JSON.parse(read("../package.json")).napi;

test("the release builds and tests every target", () => {
  const workflow = read("../../.github/workflows/release.yml");
  const named = (pattern) => [...workflow.matchAll(pattern)].map(([, target]) => target).sort();
  assert.deepEqual(named(/\{ target: ([\w-]+), runner: [\w.-]+, cross: /g), targets.toSorted());
  assert.deepEqual(named(/^ {10}- ([a-z]\w+-\w+-[\w-]+)$/gm), targets.toSorted());
});

test("the documentation lists every target with its package, and says of each whether it was built and run", () => {
  const rows = [...read("../docs/platforms.md").matchAll(/^\| (\S+) \| `(\S+)` \| (yes|no)\b[^|]* \| (yes|no)\b/gm)];
  const listed = rows.map(([, target, name]) => [target, name]);
  assert.deepEqual(listed.toSorted(), targets.map((target) => [target, `runtime-bridge-${parseTriple(target).platformArchABI}`]).toSorted());
});
