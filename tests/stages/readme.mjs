// Runs the examples of the README: each `js run` block as a module of its own, on a real store, behind the flag document of the
// README itself; each document goes through the command line's check.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { host, root, run } from "./tools.mjs";

const PREAMBLE = `
import { closeStore, openStore, queryDb, Schema } from "../store.js";
const store = await openStore({ storeId: "readme" });
`;
const EPILOGUE = `
await closeStore(store);
`;

const text = readFileSync(join(root, "README.md"), "utf8");
const examples = blocks("js run");
const documents = blocks("json flags");
if (examples.length === 0 || documents.length !== 1) throw new Error("the README has lost its examples");

const folder = join(host, "build/readme");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "flags.json"), documents[0]);
run("cargo", ["run", "--quiet", "-p", "bridge-cli", "--", "check", join(folder, "flags.json")]);
run("cargo", ["run", "--quiet", "-p", "bridge-cli", "--", "explain", join(folder, "flags.json"), "notebook-1", "--attribute", "team=docs"]);
// The host's own old module, which the binding file of the README binds.
writeFileSync(join(folder, "old.mjs"), 'export * from "../old/index.js";\n');
for (const [index, example] of examples.entries()) {
  const file = join(folder, `example-${index + 1}.mjs`);
  writeFileSync(file, `${PREAMBLE}${example}${EPILOGUE}`);
  run(process.execPath, [file], { cwd: folder, env: { NODE_ENV: "production" } });
}
console.log(`${examples.length} examples and ${documents.length} flag document ran`);

function blocks(kind) {
  return [...text.matchAll(new RegExp("^```" + kind + "\\n([\\s\\S]*?)^```$", "gm"))].map((match) => match[1]);
}
