// Can a browser application import the package?
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import test from "node:test";
import { open } from "./chromium.mjs";

const dist = join(import.meta.dirname, "dist");
const built = readdirSync(dist, { recursive: true }).filter((path) => path.endsWith(".js"));
const text = built.map((path) => readFileSync(join(dist, path), "utf8")).join("\n");

test("the bundle asks for nothing of Node and carries no addon", () => {
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport|\brequire\(|\bimport\()\s*["']([^"'\n]+)["']/g)].map(([, name]) => name);
  const builtin = specifiers.filter((name) => name.startsWith("node:") || builtinModules.includes(name));
  assert.deepEqual(builtin, []);
  for (const name of ["node:", ".node\"", ".node`", "__dirname", "process.env", "process.report", "__vite-browser-external"]) {
    assert.ok(!text.includes(name), `the bundle has ${name}`);
  }
  assert.ok(text.includes("there is no native addon in a browser"));
  assert.deepEqual(readdirSync(dist, { recursive: true }).filter((path) => path.endsWith(".node")), []);
});

const isServed = process.env["CHROMIUM"] || (process.platform === "linux" && process.arch === "x64");

test("a page of it runs without an uncaught error, and an operation says what is missing", { skip: !isServed }, async () => {
  const { status, states, refusals, diagnostics, uncaught } = await open(dist);
  assert.deepEqual(uncaught, []);
  assert.deepEqual(states, ["inactive", "inactive"]);
  assert.deepEqual([status.addon, status.legacy], [false, "unavailable"]);
  for (const [operation, refusal] of Object.entries(refusals)) {
    assert.equal(refusal?.code, "LEGACY_UNAVAILABLE", operation);
    assert.ok(refusal.isBridgeError);
    assert.match(refusal.message, /browser/);
    assert.match(refusal.help, /bind the host's own old code/);
  }
  assert.deepEqual(diagnostics, ["error LEGACY_UNAVAILABLE"]);
});
