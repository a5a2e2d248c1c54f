// What 1,000 open notebooks cost on this side of their stores. Real stores cost two megabytes each and would hide it.

import { configure } from "runtime-bridge";
import { HtmlRuntime } from "runtime-bridge/legacy";
import { attach } from "runtime-bridge/livestore";
import { row } from "./table.mjs";

export const topic = "open notebooks";

const NOTEBOOKS = { quick: 100, full: 1000 };

export async function measure({ quick }) {
  const variants = { registry: "registry" };
  configure({ flags: { flags: { "runtime-route": { state: "ENABLED", variants, defaultVariant: "registry", targeting: {} } } } });
  const count = quick ? NOTEBOOKS.quick : NOTEBOOKS.full;
  const warmUp = await opened(50, "warm");
  const before = settledBytes();
  const runtimes = await opened(count, "nb");
  const bytes = settledBytes() - before;
  for (const runtime of [...warmUp, ...runtimes]) await runtime.stop();
  return [row({ what: `resident memory of each of ${count}, without its store`, ours: bytes / count / 1024, unit: "KiB", better: "less" })];
}

async function opened(count, prefix) {
  const runtimes = Array.from({ length: count }, (_, n) => new HtmlRuntime({ store: hollowStore(`${prefix}-${n}`), userId: "user-1" }));
  for (const [n, runtime] of runtimes.entries()) await runtime.start(`${prefix}-${n}`);
  return runtimes;
}

/** Takes commits and answers every read with nothing. */
function hollowStore(storeId) {
  const store = { storeId, commit: () => undefined, query: () => [{ value: "[]" }], subscribe: () => () => undefined };
  attach(store, { queryDb: () => ({}), Schema: { Any: {}, Array: () => ({}), validateEither: () => () => ({ _tag: "Right" }) } });
  return store;
}

function settledBytes() {
  for (let turn = 0; turn < 3; turn += 1) globalThis.gc();
  return process.memoryUsage.rss();
}
