// Do the borders of the package hold in its source?
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import test from "node:test";
import { PACKAGE } from "./helpers.mjs";

const require = createRequire(import.meta.url);

const sources = (folder, extension) =>
  readdirSync(join(PACKAGE, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((path) => [relative(PACKAGE, path), readFileSync(path, "utf8")]);

const filesWith = (pattern) => sources("js", ".ts").filter(([, text]) => pattern.test(text)).map(([path]) => path);

test("every export of the addon catches panics", () => {
  const exports = sources("src", ".rs").flatMap(([path, text]) =>
    text.split("\n").filter((line) => line.includes("#[napi")).map((line) => [path, line.trim()]),
  );
  assert.ok(exports.length > 10);
  assert.deepEqual(exports.filter(([, line]) => !line.includes("catch_unwind")), []);
});

test("one file commits to the store", () => {
  assert.deepEqual(filesWith(/\.commit\(/), ["js/livestore.ts"]);
});

test("no facade file spells a query", () => {
  assert.deepEqual(filesWith(/\b(SELECT|INSERT|UPDATE|DELETE|WHERE|FROM)\b/).filter((path) => path !== "js/livestore.ts"), []);
});

test("a handle that nobody holds any more gives an error", () => {
  const { arch, platform } = process;
  const name = readdirSync(join(PACKAGE, "native")).find((file) => file.startsWith(`runtime-bridge.${platform}-${arch}`));
  const addon = require(join(PACKAGE, "native", name));
  const gone = addon.createRuntime("gone");
  addon.dropRuntime(gone);
  addon.dropRuntime(gone);
  const notebook = addon.openNotebook("gone");
  addon.closeNotebook(notebook);
  addon.closeNotebook(notebook);
  const calls = {
    stepRuntime: () => addon.stepRuntime(gone, 0, 0, '{"type":"setBusy"}'),
    validateStarted: () => addon.validateStarted(gone),
    isActiveAndReady: () => addon.isActiveAndReady(gone),
    validateNotebookId: () => addon.validateNotebookId(gone),
    stepNotebook: () => addon.stepNotebook(notebook, 0, 0, '{"type":"wake"}'),
  };
  for (const [call, make] of Object.entries(calls)) {
    assert.throws(make, (error) => error instanceof Error && /no \w+ has the handle/.test(error.message), call);
  }
  const live = addon.createRuntime("live");
  for (const input of ["", "null", "{}", '{"type":"nonsense"}', "\u0000"]) {
    assert.throws(() => addon.stepRuntime(live, NaN, Infinity, input), Error);
  }
});
