// `npm start`: sets everything up, then runs the main job.

import { join } from "node:path";
import { spawnSync } from "node:child_process";

import { buildAddon, buildHost, buildPackage } from "./setup.mjs";
import { host, requireTools, CommandFailed } from "./tools.mjs";

requireTools();
try {
  step("building the addon (a few minutes the first time)", buildAddon);
  step("building the package", buildPackage);
  step("building the host", buildHost);
} catch (error) {
  if (!(error instanceof CommandFailed)) throw error;
  console.error(`set-up failed: ${error.message}`);
  process.exit(3);
}
const job = spawnSync(process.execPath, [join(host, "build/job/main.js"), ...process.argv.slice(2)], {
  stdio: "inherit",
  env: { NODE_ENV: "production", ...process.env },
});
process.exitCode = job.status ?? 1;

/** Standard output belongs to the job: `--json` must be readable by a program. */
function step(what, work) {
  process.stderr.write(`${what} …\n`);
  work();
}
