/**
 * runtime-bridge: moves a live notebook runtime from the old code to a Rust runtime registry, notebook by notebook, and back.
 *
 * @module
 */

export { createRuntimeAgentRegistry, getRuntimeAgentRegistry, RuntimeAgent, RuntimeAgentRegistry } from "./agents";
export type { RuntimeAgentRegistryConfig, RuntimeAgentRegistryStatus, RuntimeTypeDefinition } from "./agents";
export { ArtifactClient, validateMediaBundle } from "./artifacts";
export type { ArtifactSubmissionOptions, ArtifactSubmissionResult } from "./artifacts";
export { bind } from "./bind";
export type { BindOptions, LegacyModule } from "./bind";
export { bridge, configure, ready, shutdown } from "./internal/bridge";
export type {
  Attributes,
  BridgeEvents,
  BridgeOptions,
  BridgeStatus,
  GuardOptions,
  Kill,
  MismatchOptions,
  MismatchStatus,
  NotebookStatus,
  RouteExplanation,
  RoutePlan,
  ShadowOptions,
} from "./internal/bridge";
export { BridgeError } from "./internal/errors";
export type { GuardSink } from "./internal/shared-latch";
export type {
  Comparison,
  Decision,
  Diagnostic,
  Difference,
  GuardStatus,
  GuardTotals,
  Latched,
  Rollback,
  RollbackScope,
  RollbackTier,
  ShadowStatus,
  Verdict,
} from "./internal/protocol";
export type { LiveStoreModule } from "./livestore";
export { RuntimeConfig } from "./runtime-config";
export type { RuntimeAgentOptions } from "./runtime-config";
