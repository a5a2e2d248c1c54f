// Uses every entry as a host does in a page that has no host process, and tells the test what it saw.
import { bridge, BridgeError, configure, createRuntimeAgentRegistry, ready, shutdown } from "runtime-bridge";
import { BaseRuntime, getRuntimeRegistry, HtmlRuntime } from "runtime-bridge/legacy";
import { HtmlRuntimeManagerSession } from "runtime-bridge/legacy/html-runtime-manager";
import { attach } from "runtime-bridge/livestore";
import { useClock } from "runtime-bridge/testing";

class Mine extends BaseRuntime {
  async doStart() {}
  async doStop() {}
}

const store = { storeId: "nb", commit() {}, query: () => [], subscribe: () => () => {} };
const refusalOf = async (operation) => {
  try {
    await operation();
    return null;
  } catch (error) {
    return { code: error.code, message: error.message, help: error.help, isBridgeError: error instanceof BridgeError };
  }
};

const diagnostics = [];
bridge.on("diagnostic", ({ level, code }) => diagnostics.push(`${level} ${code}`));
const metadata = { id: "mine", name: "Mine", type: "external", isLocal: true, isAvailable: true, priority: 1 };
const mine = new Mine(metadata, { canExecuteCode: true });
const html = new HtmlRuntime({ store, userId: "u1" });
new HtmlRuntimeManagerSession({ store, notebookId: "nb", isAuthenticated: true }).getState();
attach(store, { queryDb: () => ({}), Schema: { Array: () => ({}) } }).detach();
useClock({ now: () => 0 })();
configure({ flags: "/flags.json" });

const report = {
  status: bridge.status(),
  states: [mine.getState().status, html.getState().status],
  refusals: {
    html: await refusalOf(() => html.start("nb")),
    mine: await refusalOf(() => mine.start("nb")),
    ready: await refusalOf(ready),
    agents: await refusalOf(() => createRuntimeAgentRegistry(store, { userId: "u1" }).getOrCreateAgent("nb", "html")),
    registry: await refusalOf(getRuntimeRegistry),
  },
  diagnostics,
};
html.destroy();
await shutdown();
// An uncaught rejection is reported in a task of its own.
setTimeout(() => fetch("/report", { method: "POST", body: JSON.stringify({ ...report, uncaught: globalThis.uncaught }) }));
