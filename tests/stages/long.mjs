// `npm run test:long`: what takes longer than a test should, and is worth it before a release.

import { cannotFuzz, fuzz } from "./fuzz.mjs";
import { root, run } from "./tools.mjs";

const stages = [
  // 10,000 runs of 3,000 comparisons, and the published table to the last digit.
  ["the guard's simulations", () => run("cargo", ["test", "--quiet", "--profile", "addon", "-p", "tests", "--test", "it", "guard_power"], { env: { GUARD_RUNS: "10000" } })],
  ["fuzz", () => fuzz({ seconds: 600 }), cannotFuzz],
];

process.chdir(root);
const wanted = process.argv.slice(2);
for (const [name, work, cannot = () => null] of stages) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  const reason = cannot();
  console.log(`\n── ${name}${reason ? `: not run: ${reason}` : ""}`);
  if (reason) process.exitCode = 1;
  else work();
}
