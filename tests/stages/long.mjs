// `npm run test:long [part of a stage's name…]`: what takes longer than a test should. FLIPS=n for another number of flips, SEED=n
// to begin at another seed, MINUTES=n for another time of soaking than an hour.
// Exit status: 0 everything held, 1 something did not, or could not be run.

import { cannotFuzz, fuzz } from "./fuzz.mjs";
import { cannotSoak, soak } from "./soak.mjs";
import { requireTools, root, run } from "./tools.mjs";

const optimised = ["--quiet", "--profile", "addon", "--package", "tests"];

const stages = [
  ["a million flips", () => simulate(process.env["FLIPS"] ?? "1000000", process.env["SEED"] ?? "0")],
  // 10,000 runs of 3,000 comparisons, and the published table to the last digit.
  ["the guard's simulations", () => run("cargo", ["test", ...optimised, "--test", "it", "guard_power"], { env: { GUARD_RUNS: "10000" } })],
  ["a day's log", () => run("cargo", ["test", ...optimised, "--test", "it", "day::"], { env: { HOURS: "24" } })],
  ["fuzz", () => fuzz({ seconds: 60 }), cannotFuzz],
  ["soak", () => soak({ minutes: Number(process.env["MINUTES"] ?? "60") }), cannotSoak],
];

requireTools();
process.chdir(root);
const wanted = process.argv.slice(2);
for (const [name, work, cannot = () => null] of stages) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  const reason = cannot();
  const began = performance.now();
  console.log(`\n── ${name}${reason ? `: not run: ${reason}` : ""}`);
  if (reason) {
    process.exitCode = 1;
    continue;
  }
  work();
  console.log(`── ${name}: passed in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

/** The simulator plays seeds until so many sessions have been flipped, and gives the account. */
function simulate(flips, seed) {
  run("cargo", ["run", ...optimised, "--bin", "simulate", "--", flips, seed]);
}
