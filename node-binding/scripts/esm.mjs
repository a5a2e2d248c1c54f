// Writes the ES module entries. The CommonJS modules are the implementation and these only name their exports, so that
// `import` and `require` give the same classes and the same bridge.

import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

for (const entry of ["html-runtime-manager", "index", "legacy", "livestore", "testing"]) {
  const names = Object.keys(require(`../dist/${entry}.js`)).sort();
  const dist = new URL("../dist/", import.meta.url);
  writeFileSync(new URL(`${entry}.mjs`, dist), `export { ${names.join(", ")} } from "./${entry}.js";\n`);
  writeFileSync(new URL(`${entry}.d.mts`, dist), `export * from "./${entry}.js";\n`);
}
