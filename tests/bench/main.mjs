// One topic of the benchmarks, in a process of its own: `node main.mjs TOPIC OPTIONS`. Standard output is its rows as JSON.

import { bridge } from "runtime-bridge";

import { TOPICS } from "./topics.mjs";

// Diagnostics that nobody listens to would go to standard output.
bridge.on("diagnostic", ({ level, message }) => {
  if (level !== "info") process.stderr.write(`${level}: ${message}\n`);
});
const [name, options] = process.argv.slice(2);
const { topic, measure } = await TOPICS[name]();
const rows = await measure(JSON.parse(options), (what) => process.stderr.write(`${what} …\n`));
// Statsig's engine keeps a process alive even after its shutdown.
process.stdout.write(JSON.stringify({ name, topic, rows }), () => process.exit());
