/** Prints how long a claim stays unseen by another process, and what came of it: `node build/measure-processes.js [EXECUTIONS]`. */
import { measure } from "./test/measure.js";

const executions = Number(process.argv[2] ?? "200");
console.log(JSON.stringify(await measure({ executions, latency_ms: 0 })));
