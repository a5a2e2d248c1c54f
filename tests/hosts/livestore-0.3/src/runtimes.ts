/** The binding file: call sites import it in place of `old/index.js`, and change nothing else. */
import { queryDb, Schema } from "@livestore/livestore";
import { bind } from "runtime-bridge";
import * as old from "./old/index.js";

export const {
  BaseRuntime,
  HtmlRuntime,
  RuntimeRegistry,
  Registry,
  getRuntimeRegistry,
  RuntimeFactory,
  createRuntimeFactory,
} = bind({ legacy: old, queryDb, Schema });

// A value says nothing of the type of its name.
export type BaseRuntime = old.BaseRuntime;
export type HtmlRuntime = old.HtmlRuntime;
export type RuntimeRegistry = old.RuntimeRegistry;
export type RuntimeFactory = old.RuntimeFactory;
export type * from "./old/types.js";
