// A worker thread of the application: flags, a registry and a runtime of its own. It stays active, with a restart under way.
import { parentPort, workerData } from "node:worker_threads";
import { bridge, configure } from "runtime-bridge";
import { getRuntimeRegistry } from "runtime-bridge/legacy";
import { Mine, flags } from "./mine.mjs";

const { n } = workerData;
for (let i = 0; i <= n; i += 1) configure({ flags: flags(i % 2 === 0 ? "registry" : "legacy") });
const registry = getRuntimeRegistry();
const runtime = new Mine(`worker-${n}`);
registry.register(runtime);
await registry.startRuntime(`worker-${n}`, `nb-${n}`);
parentPort.postMessage({
  route: bridge.route(`nb-${n}`).route,
  generation: bridge.status().flags.generation,
  registered: registry.getAvailableRuntimes().map(({ metadata }) => metadata.id),
  ...runtime.getState(),
});
if (n % 2 === 1) {
  void runtime.restart();
  setInterval(() => bridge.route(`nb-${n}`), 1);
}
