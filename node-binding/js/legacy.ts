/**
 * The old runtime layer's classes and types, under their old names: change the import, nothing else.
 *
 * @module
 */

export { BaseRuntime } from "./base-runtime";
export { HtmlRuntime } from "./html-runtime";
export type {
  HtmlRuntimeConfig,
  LiveStore,
  LocalRuntime,
  RemoteRuntime,
  RemoteRuntimeConnection,
  Runtime,
  RuntimeCapabilities,
  RuntimeConfiguration,
  RuntimeMetadata,
  RuntimeState,
  RuntimeStatus,
  RuntimeType,
} from "./types";
