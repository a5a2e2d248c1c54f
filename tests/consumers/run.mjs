// Installs the package, as it would be published, into applications of every kind and runs their tests.
// `node tests/consumers/run.mjs [NAME …]`; everything is below target/consumers.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { binding, host, nodeVersions, once, root, run } from "../stages/tools.mjs";

const consumers = fileURLToPath(new URL(".", import.meta.url));
const target = join(root, "target/consumers");
const packages = join(target, "packages");

/** The applications that run on every Node; the others are tools of their own, and run on this one. */
const ON_EVERY_NODE = new Set(["plain"]);

requireBuilds();
const wanted = process.argv.slice(2);
const names = readdirSync(consumers).filter((name) => existsSync(join(consumers, name, "package.json")));
rmSync(packages, { recursive: true, force: true });
const withAddon = pack(binding);
for (const name of names) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const began = performance.now();
  install(name, name === "released" ? release() : [withAddon]);
  for (const node of ON_EVERY_NODE.has(name) ? everyNode() : [process.execPath]) test(name, node);
  console.log(`${name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

/** What is packed and what the applications use must be there. */
function requireBuilds() {
  const addons = listed(join(binding, "native")).filter((name) => name.endsWith(".node"));
  const isBuilt = addons.length > 0 && existsSync(join(binding, "dist/index.mjs")) && existsSync(join(host, "build/store.js"));
  if (isBuilt) return;
  console.error("the addon, the package or the LiveStore host is not built\n  hint: npm test -- build, or npm start once");
  process.exit(2);
}

/** A fresh copy of the application, its own dependencies from its lock file, and the packages. */
function install(name, tarballs) {
  const folder = join(target, name);
  mkdirSync(folder, { recursive: true });
  for (const entry of readdirSync(folder)) if (entry !== "node_modules") rmSync(join(folder, entry), { recursive: true });
  cpSync(join(consumers, name), folder, { recursive: true, filter: (path) => !path.endsWith("node_modules") });
  if (existsSync(join(folder, "package-lock.json"))) {
    once(join(folder, "node_modules/.stamp"), [join(folder, "package-lock.json")], () => npm(folder, ["ci", "--prefer-offline"]));
  }
  for (const entry of listed(join(folder, "node_modules"))) {
    if (entry.startsWith("runtime-bridge")) rmSync(join(folder, "node_modules", entry), { recursive: true });
  }
  npm(folder, ["install", "--no-save", "--no-package-lock", "--offline", ...tarballs]);
}

function test(name, node) {
  console.log(`${name} on ${relative(root, node)}`);
  const env = {
    NODE_ENV: "production",
    NODE_OPTIONS: "",
    PATH: `${dirname(node)}${delimiter}${process.env["PATH"]}`,
    LIVESTORE_HOST: pathToFileURL(join(host, "build/store.js")).href,
    RUNTIME_BRIDGE_ADDON: "",
    RUNTIME_BRIDGE_FLAGS: "",
  };
  run("npm", ["test", "--silent"], { cwd: join(target, name), env });
}

function everyNode() {
  const versions = listed(join(nodeVersions, "node_modules")).filter((name) => name.startsWith("node-"));
  if (versions.length === 0) return [process.execPath];
  return versions.map((version) => join(nodeVersions, "node_modules", version, "bin/node"));
}

/**
 * The package and its addon as a release lays them out: the addon in a package of its own, made by the commands of the release,
 * for the one platform that there is an addon of.
 */
function release() {
  const stage = join(packages, "stage");
  cpSync(join(binding, "dist"), join(stage, "dist"), { recursive: true });
  const manifest = JSON.parse(readFileSync(join(binding, "package.json"), "utf8"));
  const { parseTriple } = createRequire(join(binding, "package.json"))("@napi-rs/cli");
  const abiOf = (triple) => parseTriple(triple).platformArchABI;
  const addonOf = (abi) => `${manifest.napi.binaryName}.${abi}.node`;
  manifest.napi.targets = manifest.napi.targets.filter((triple) => existsSync(join(binding, "native", addonOf(abiOf(triple)))));
  writeFileSync(join(stage, "package.json"), JSON.stringify(manifest));
  mkdirSync(join(stage, "npm"));
  napi(stage, ["create-npm-dirs"]);
  const tarballs = manifest.napi.targets.map(abiOf).map((abi) => {
    const folder = join(stage, "npm", abi);
    cpSync(join(binding, "native", addonOf(abi)), join(folder, addonOf(abi)));
    return pack(folder);
  });
  napi(stage, ["pre-publish", "--tag-style", "npm", "--no-gh-release", "--skip-optional-publish"]);
  return [pack(stage), ...tarballs];
}

/** Packs a folder; gives the path of the tarball. */
function pack(folder) {
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const destination = join(packages, folder === binding ? "with-addon" : "released");
  mkdirSync(destination, { recursive: true });
  npm(folder, ["pack", "--ignore-scripts", "--pack-destination", destination]);
  return join(destination, `${name}-${version}.tgz`);
}

function npm(folder, args) {
  run("npm", [...args, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, quiet: true });
}

function napi(folder, args) {
  run(process.execPath, [join(binding, "node_modules/@napi-rs/cli/dist/cli.js"), ...args], { cwd: folder, quiet: true });
}

function listed(folder) {
  return existsSync(folder) ? readdirSync(folder) : [];
}
