// The half of the host that is ES modules: the new surface, and what goes over to the other half.

import {
  ArtifactClient,
  bridge,
  configure,
  createRuntimeAgentRegistry,
  getRuntimeAgentRegistry,
  ready,
  type Decision,
  type Diagnostic,
  type RouteExplanation,
  type RoutePlan,
  type RuntimeAgent,
  type RuntimeAgentRegistry,
  type RuntimeTypeDefinition,
  shutdown,
  validateMediaBundle,
} from "runtime-bridge";
import { HtmlRuntime, type LiveStore } from "runtime-bridge/legacy";
import { type HtmlRuntimeContextType, HtmlRuntimeManagerSession } from "runtime-bridge/legacy/html-runtime-manager";
import { attach } from "runtime-bridge/livestore";
import { codeOf, take } from "./common.cjs";
import { Mine, same } from "./surface.js";

export async function main(store: LiveStore, queryDb: (query: object) => object, Schema: { Any: object; Array(item: object): object; validateEither(schema: object): (value: object) => object }): Promise<void> {
  configure({ flags: "flags.json", attributes: (notebookId) => ({ team: notebookId, sizes: [1, 2] }) });
  const end: () => void = bridge.on("diagnostic", ({ level, code, message, help }: Diagnostic) => console.log(level, code, message, help));
  const attachment = attach(store, { queryDb, Schema });
  try {
    await ready();
  } catch (error) {
    console.log(codeOf(error));
  }
  take(new Mine(), new HtmlRuntime({ store, userId: "u1" }));
  const decision: Decision = bridge.route("nb", { runtimeType: "html" });
  const explanation: RouteExplanation | null = bridge.explain("nb");
  const plan: RoutePlan = bridge.plan({ flags: {} });
  console.log(decision.route, explanation?.text, plan.moves.length);
  const manager = new HtmlRuntimeManagerSession({ store, notebookId: "nb", isAuthenticated: true, userId: "u1" });
  const context: HtmlRuntimeContextType = { ...manager, runtimeState: manager.getState() };
  await context.startRuntime();
  const agents: RuntimeAgentRegistry = createRuntimeAgentRegistry(store, { userId: "u1", maxConcurrentAgents: 2 });
  same<ReturnType<typeof getRuntimeAgentRegistry>, RuntimeAgentRegistry>(true);
  const types: RuntimeTypeDefinition[] = agents.getAvailableRuntimeTypes();
  const agent: RuntimeAgent = await agents.getOrCreateAgent("nb", types[0]?.type ?? "html");
  await agent.shutdown();
  console.log(new ArtifactClient("https://host").baseUrl, validateMediaBundle({ "text/plain": "a" }));
  attachment.detach();
  end();
  await shutdown();
}
