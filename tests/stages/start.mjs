// `npm start`: sets everything up, then runs the main job.

import { join } from "node:path";
import { spawn } from "node:child_process";

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
// The job ends by itself when it is interrupted, and has something to say then.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => undefined);
const job = spawn(process.execPath, [join(host, "build/job/main.js"), ...process.argv.slice(2)], {
  stdio: "inherit",
  env: { NODE_ENV: "production", ...process.env },
});
job.on("exit", (status) => {
  process.exitCode = status ?? 1;
});

/** Standard output belongs to the job: `--json` must be readable by a program. */
function step(what, work) {
  process.stderr.write(`${what} …\n`);
  work();
}
