/** The host's old runtime layer: what call sites imported before the migration. */
export { BaseRuntime } from "./baseRuntime.js";
export { HtmlRuntime } from "./htmlRuntime.js";
export { createRuntimeFactory, RuntimeFactory } from "./runtimeFactory.js";
export { getRuntimeRegistry, RuntimeRegistry, RuntimeRegistry as Registry } from "./runtimeRegistry.js";
export type * from "./types.js";
