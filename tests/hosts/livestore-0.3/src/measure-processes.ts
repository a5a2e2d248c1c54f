/** Prints how long a claim stays unseen by another process, and what came of it: `node build/measure-processes.js [EXECUTIONS]`. */
import { measure } from "./test/measure.js";

const executions = Number(process.argv[2] ?? "200");
for (const latency_ms of [0, 20]) {
  const { audit, window_ms, ...found } = await measure({ executions, latency_ms });
  console.log(JSON.stringify({ ...found, ...window_ms, audit }));
}
