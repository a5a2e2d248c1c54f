// An environment of its own, for as long as it takes to execute a few cells while candidates break down in their own process.

import { workerData } from "node:worker_threads";

import { bridge, configure, shutdown } from "../../node-binding/dist/index.mjs";
import { seedCandidateFault } from "../../node-binding/dist/testing.mjs";
import { Notebook, cellsAndRequests, notice, route, until } from "../../node-binding/tests/helpers.mjs";

configure({ shadow: { process: "separate" } });
bridge.on("comparison", notice);
route("shadow");
const { cells, requests } = cellsAndRequests(3);
const notebook = await Notebook.open(undefined, { cells });
await notebook.start();
for (const [at, request] of requests.entries()) {
  seedCandidateFault(at === 1 ? workerData.breakdown : null);
  const { compared } = bridge.status().notebooks[0].comparisons;
  notebook.request(request);
  await notebook.untilCompleted(at + 1);
  await until("the verdict", () => bridge.status().notebooks[0].comparisons.compared > compared);
}
notebook.assertEachRanOnce(requests);
await notebook.close();
await shutdown();
