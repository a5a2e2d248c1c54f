// An application with eight worker threads: half of them end by themselves, half are terminated in the middle of their work.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { bridge, configure } from "runtime-bridge";
import { getRuntimeRegistry } from "runtime-bridge/legacy";
import { Mine, flags } from "./mine.mjs";

configure({ flags: flags("legacy") });
const registry = getRuntimeRegistry();
const runtime = new Mine("main");
registry.register(runtime);
await registry.startRuntime("main", "nb");
const events = [];
runtime.onStateChange(({ status }) => events.push(status));

const lives = Array.from({ length: 8 }, async (_, n) => {
  const worker = new Worker(new URL("worker.mjs", import.meta.url), { workerData: { n } });
  const exit = once(worker, "exit");
  const [report] = await once(worker, "message");
  if (n % 2 === 1) await worker.terminate();
  const [code] = await exit;
  return { report, code };
});
const seen = await Promise.all(lives);
const isActiveBefore = runtime.getState().isActive;
await runtime.stop();
console.log(
  JSON.stringify({
    reports: seen.map(({ report }) => report),
    ended: seen.map(({ code }) => code),
    main: {
      generation: bridge.status().flags.generation,
      registered: registry.getAvailableRuntimes().map(({ metadata }) => metadata.id),
      isActiveBefore,
      isActiveAfter: runtime.getState().isActive,
      events,
    },
  }),
);
