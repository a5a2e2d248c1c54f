// `npm run test:long`: the simulator plays seeds in an optimised build until a million sessions have been flipped, and gives the
// account. FLIPS=n for another number, SEED=n to begin at another seed.
// Exit status: 0 nothing lost and nothing doubled, 1 a seed that breaks an invariant.

import { requireTools, root } from "./tools.mjs";
import { spawnSync } from "node:child_process";

const FLIPS = 1_000_000;

requireTools();
const build = ["run", "--quiet", "--profile", "addon", "--package", "tests", "--bin", "simulate", "--"];
const flips = process.env["FLIPS"] ?? String(FLIPS);
const seed = process.env["SEED"] ?? "0";
const { status } = spawnSync("cargo", [...build, flips, seed], { cwd: root, stdio: "inherit" });
process.exitCode = status ?? 1;
