// `npm run bench`: what runtime-bridge costs beside what a team would use instead, as ratios of one run on one machine.
// Exit status: 0 measured, 1 a topic failed, 2 bad input or set-up. A goal that is not met is shown and fails nothing.

import { spawnSync } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { asMarkdown, asText, isWhole } from "../bench/table.mjs";
import { TOPICS } from "../bench/topics.mjs";
import { buildAddon, buildHost, buildPackage, installBench } from "./setup.mjs";
import { bench, CommandFailed, requireTools, root, run } from "./tools.mjs";

const USAGE = `npm run bench -- [options]
  --only NAME          only this topic, repeatable: ${Object.keys(TOPICS).join(", ")}
  --repetitions N      how often each html case is run; its median counts (default 5)
  --quick              a smoke run of a minute, whose numbers say nothing
  --json, --markdown   print for programs, for a page`;

const options = read(process.argv.slice(2));
requireTools();
try {
  setUp();
} catch (error) {
  if (!(error instanceof CommandFailed)) throw error;
  console.error(`set-up failed: ${error.message}`);
  process.exit(2);
}
const loadBefore = loadavg()[0];
const measured = options.topics.map(measure);
const machine = { node: process.version, cores: availableParallelism(), load: { before: loadBefore, after: loadavg()[0] } };
const failed = measured.filter(({ rows }) => rows.length === 0 || !rows.every(isWhole));
print();
for (const { name } of failed) console.error(`no measurement: ${name}`);
process.exitCode = failed.length > 0 ? 1 : 0;

function setUp() {
  buildAddon();
  buildPackage();
  buildHost();
  installBench();
  run("cargo", ["build", ...rustBench()]);
}

/** Rust is measured as the addon is built. A smoke run takes the build that the tests have made anyway. */
function rustBench() {
  return ["--quiet", "--package", "bench", ...(options.quick ? [] : ["--profile", "addon"])];
}

function measure(name) {
  const { quick, repetitions } = options;
  const given = JSON.stringify({ quick, repetitions, rustBench: ["cargo", "run", ...rustBench(), "--"] });
  const { status, stdout } = spawnSync(process.execPath, ["--expose-gc", join(bench, "main.mjs"), name, given], {
    cwd: root,
    env: { ...process.env, NODE_ENV: "production", RUNTIME_BRIDGE_FLAGS: "" },
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  return status === 0 ? JSON.parse(stdout) : { name, topic: name, rows: [] };
}

function print() {
  if (options.json) return console.log(JSON.stringify({ machine, quick: options.quick, topics: measured }, null, 2));
  const { node, cores, load } = machine;
  const loads = `${load.before.toFixed(1)} before and ${load.after.toFixed(1)} after`;
  const about = `Node ${node}, ${cores} cores, load ${loads}${options.quick ? "; a smoke run, whose numbers say nothing" : ""}`;
  const asTable = options.markdown ? asMarkdown : asText;
  console.log([...measured.map(({ topic, rows }) => asTable(topic, rows)), about].join("\n\n"));
}

function read(args) {
  const flag = { type: "boolean", default: false };
  try {
    const { values } = parseArgs({
      args,
      options: {
        only: { type: "string", multiple: true, default: Object.keys(TOPICS) },
        repetitions: { type: "string", default: "5" },
        quick: flag,
        json: flag,
        markdown: flag,
        help: flag,
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const unknown = values.only.filter((name) => !Object.hasOwn(TOPICS, name));
    if (unknown.length > 0) throw new Error(`no topic is called \`${unknown.join(", ")}\``);
    const repetitions = Number(values.repetitions);
    if (!Number.isInteger(repetitions) || repetitions < 1) throw new Error(`--repetitions wants a number from 1, not \`${values.repetitions}\``);
    return { ...values, topics: values.only, repetitions };
  } catch (error) {
    console.error(`bench: ${error.message}\n${USAGE}`);
    return process.exit(2);
  }
}
