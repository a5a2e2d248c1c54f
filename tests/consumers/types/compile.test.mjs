// Does host code compile against the package, with every compiler and both ways to resolve modules? That the compilers do
// check is seen by the sources' `@ts-expect-error`, which are errors where there is none.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";

const modules = join(import.meta.dirname, "node_modules");
const compilers = readdirSync(modules).filter((name) => name.startsWith("typescript-"));

/** What a strict host sets. `skipLibCheck` is off: the package's declarations are checked too, without Node's types. */
const STRICT = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--noImplicitOverride"];
const CHECKED = ["--skipLibCheck", "false", "--noEmit", "--target", "es2022", "--lib", "es2023,dom"];
const RESOLUTIONS = {
  nodenext: ["--module", "nodenext", "--moduleResolution", "nodenext"],
  bundler: ["--module", "esnext", "--moduleResolution", "bundler"],
};

const sources = readdirSync(join(import.meta.dirname, "src")).map((name) => join("src", name));

describe("host code compiles", { concurrency: 2 }, () => {
  for (const compiler of compilers) {
    for (const [resolution, options] of Object.entries(RESOLUTIONS)) {
      test(`${compiler}, ${resolution}`, () => compile(compiler, [...options, ...STRICT, ...CHECKED, ...sources]));
    }
  }
});

test("there are compilers from the oldest that is promised on", () => {
  assert.ok(compilers.includes("typescript-5.8"));
});

async function compile(compiler, args) {
  const tsc = ["bin/tsc", "lib/tsc.js"].map((path) => join(modules, compiler, path)).find(existsSync);
  try {
    await promisify(execFile)(process.execPath, [tsc, ...args], { cwd: import.meta.dirname });
  } catch ({ stdout }) {
    assert.fail(stdout);
  }
}
