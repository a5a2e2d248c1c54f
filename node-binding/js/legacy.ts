/**
 * The old runtime layer's classes and types, under their old names: change the import, nothing else.
 *
 * @module
 */

export { BaseRuntime } from "./base-runtime";
export { HtmlRuntime } from "./html-runtime";
export { createRuntimeFactory, RuntimeFactory } from "./runtime-factory";
export { getRuntimeRegistry, RuntimeRegistry, RuntimeRegistry as Registry } from "./runtime-registry";
export type {
  HtmlRuntimeConfig,
  HtmlRuntimeContextType,
  HtmlRuntimeState,
  LiveStore,
  LocalRuntime,
  RemoteRuntime,
  RemoteRuntimeConnection,
  Runtime,
  RuntimeCapabilities,
  RuntimeConfiguration,
  RuntimeEvent,
  RuntimeFactoryConfig,
  RuntimeFactoryInterface,
  RuntimeMetadata,
  RuntimeRegistryConfig,
  RuntimeRegistryInterface,
  RuntimeState,
  RuntimeStatus,
  RuntimeType,
} from "./types";
