// Builds what the stages run: the addon, the package and the LiveStore hosts. Each step is skipped while its inputs are
// unchanged; cargo decides that for itself.

import { join } from "node:path";

import { bench, binding, filesBelow, host, nodeVersions, once, run } from "./tools.mjs";

export function installBinding() {
  install(binding);
}

export function installHost(folder = host) {
  install(folder);
}

export function installNodeVersions() {
  install(nodeVersions);
}

export function installBench() {
  install(bench);
}

/** The addon as users get it, but linked faster than a release. */
export function buildAddon() {
  installBinding();
  run("npm", ["run", "--silent", "build:addon"], { cwd: binding, quiet: true });
}

export function buildPackage() {
  installBinding();
  const inputs = [...filesBelow(join(binding, "js"), ".ts"), join(binding, "tsconfig.json"), join(binding, "scripts/esm.mjs")];
  once(join(binding, "dist/.stamp"), [...inputs, join(binding, "native/addon.d.ts")], () => {
    run("npm", ["run", "--silent", "build:js"], { cwd: binding });
  });
}

export function buildHost(folder = host) {
  installHost(folder);
  const settings = [host, folder].flatMap((one) => [join(one, "tsconfig.json"), join(one, "package.json")]);
  const inputs = [...filesBelow(join(folder, "src"), ".ts"), ...settings];
  once(join(folder, "build/.stamp"), inputs, () => run("npm", ["run", "--silent", "build"], { cwd: folder }));
}

function install(folder) {
  once(join(folder, "node_modules/.stamp"), [join(folder, "package-lock.json")], () => {
    run("npm", ["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, quiet: true });
  });
}
