/**
 * `npm start`: runs notebooks behind the old API, routed by flag. See `usage` in `options.ts`.
 *
 * The environment is put in order here, before anything is imported that looks at it.
 */
import { Console } from "node:console";

// Outside production LiveStore hashes the result of every materialiser.
process.env["NODE_ENV"] ??= "production";

// What libraries have to say is no result: standard output is the job's alone.
globalThis.console = new Console(process.stderr, process.stderr);

// npm runs scripts in the package's folder and says here where the user is.
const { INIT_CWD } = process.env;
if (INIT_CWD !== undefined && INIT_CWD !== "") process.chdir(INIT_CWD);

const { runCommand } = await import("./command.js");
process.exitCode = await runCommand({
  args: process.argv.slice(2),
  env: process.env,
  out: process.stdout,
  err: process.stderr,
});
