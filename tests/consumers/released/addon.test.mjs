// Where is the addon found, and what is said where it is not?
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

const INSTALLED = join(import.meta.dirname, "node_modules");
const platformPackage = readdirSync(INSTALLED).find((name) => name.startsWith("runtime-bridge-"));
const platform = platformPackage.slice("runtime-bridge-".length);
const manifestOf = (name) => JSON.parse(readFileSync(join(INSTALLED, name, "package.json"), "utf8"));
const { version } = manifestOf("runtime-bridge");

/** What an application sees that starts in a folder: the file that the addon came from, or the error. */
const seenIn = (folder, prelude = "") => {
  const script = `
    ${prelude}
    const { bridge, ready } = require("runtime-bridge");
    ready().then(
      () => ({ isLoaded: bridge.status().addon, from: Object.keys(require.cache).find((path) => path.endsWith(".node")) }),
      ({ code, message, help }) => ({ code, message, help }),
    ).then((seen) => console.log(JSON.stringify(seen)));
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--eval", script], { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
};

/** A folder, out of reach of what is installed here, with the package and these others, each a manifest and the text of its `addon.node`. */
const application = (name, packages = {}) => {
  const folder = join(import.meta.dirname, "../packages/applications", name);
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(INSTALLED, "runtime-bridge"), join(folder, "node_modules/runtime-bridge"), { recursive: true });
  for (const [other, { manifest, addon }] of Object.entries(packages)) {
    mkdirSync(join(folder, "node_modules", other));
    writeFileSync(join(folder, "node_modules", other, "package.json"), JSON.stringify({ main: "addon.node", ...manifest }));
    writeFileSync(join(folder, "node_modules", other, "addon.node"), addon);
  }
  return folder;
};

test("the released package holds no addon and asks for this platform's of the same version", () => {
  assert.deepEqual(readdirSync(join(INSTALLED, "runtime-bridge"), { recursive: true }).filter((path) => path.endsWith(".node")), []);
  assert.deepEqual(manifestOf("runtime-bridge").optionalDependencies, { [platformPackage]: version });
  const { os, cpu, engines } = manifestOf(platformPackage);
  assert.deepEqual([os, cpu, engines.node], [[process.platform], [process.arch], ">=20"]);
});

test("the addon is found in the platform's package", () => {
  const from = join(INSTALLED, platformPackage, `runtime-bridge.${platform}.node`);
  assert.deepEqual(seenIn(import.meta.dirname), { isLoaded: true, from });
});

test("an addon that was built here comes first", () => {
  const folder = application("built-here", { [platformPackage]: { manifest: { version }, addon: "not this one" } });
  const from = join(folder, "node_modules/runtime-bridge/native", `runtime-bridge.${platform}.node`);
  cpSync(join(INSTALLED, platformPackage, `runtime-bridge.${platform}.node`), from);
  assert.deepEqual(seenIn(folder), { isLoaded: true, from });
});

test("without one, the error names the platform and the package to install", () => {
  const { code, message, help } = seenIn(application("missing"));
  assert.equal(code, "LEGACY_UNAVAILABLE");
  assert.equal(message, `the native addon cannot be loaded on ${platform} (Node ${process.version}): the package \`${platformPackage}\` is not installed`);
  assert.match(help, new RegExp(`\`${platformPackage}\` of the same version`));
});

test("a package that cannot be loaded says why, although no addon was built here either", () => {
  const { code, message } = seenIn(application("broken", { [platformPackage]: { manifest: { version }, addon: "no machine code" } }));
  assert.equal(code, "LEGACY_UNAVAILABLE");
  assert.match(message, /addon\.node: /);
  assert.doesNotMatch(message, /not installed|no file/);
});

test("a package of another version is refused", () => {
  const { message } = seenIn(application("outdated", { [platformPackage]: { manifest: { version: "0.0.1" }, addon: "" } }));
  assert.ok(message.endsWith(`the package \`${platformPackage}\` is of version \`0.0.1\`, not \`${version}\``), message);
});

test("where Node's report names no glibc, the addon for musl is wanted", { skip: process.platform !== "linux" }, () => {
  const { message } = seenIn(application("musl"), "process.report.getReport = () => ({ header: {} });");
  assert.ok(message.includes(`linux-${process.arch}-musl`), message);
});

test("no process is spawned and no name is looked up to tell the platform", () => {
  const prelude = `
    const { report } = process;
    const { getReport } = report;
    report.getReport = () => {
      if (!report.excludeNetwork) throw new Error("the report would look up names");
      return getReport.call(report);
    };
    for (const name of ["spawn", "spawnSync", "exec", "execSync", "execFile", "execFileSync"]) {
      require("node:child_process")[name] = () => { throw new Error("spawned"); };
    }
  `;
  assert.equal(seenIn(import.meta.dirname, prelude).isLoaded, true);
});
