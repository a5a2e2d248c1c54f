/** A process whose worker thread ends in the middle of a drain; another one may take the notebook over, and the process ends by itself. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { EndedDrain } from "./death.js";

const drain = JSON.parse(process.argv[2] ?? "") as EndedDrain;
const argv = [process.argv[2]];

const worker = new Worker(new URL("drainingProcess.js", import.meta.url), { argv });
const exit = once(worker, "exit");
if (drain.by === "others") {
  await once(worker, "message");
  await worker.terminate();
}
await exit;
if (drain.next === "worker") {
  await once(new Worker(new URL("recoveringProcess.js", import.meta.url), { argv: [JSON.stringify({ ...drain, commits: [0] })] }), "exit");
}
