// The half of the host that is CommonJS. Both halves mean the same types.

import { bridge, BridgeError, RuntimeConfig, type BridgeStatus, type RuntimeAgentOptions } from "runtime-bridge";
import { BaseRuntime, HtmlRuntime, type RuntimeState } from "runtime-bridge/legacy";
import { attach, type Attachment, type LiveStoreModule } from "runtime-bridge/livestore";
import { useClock, type Clock } from "runtime-bridge/testing";

/** Takes what the other half makes. */
export function take(runtime: BaseRuntime, html: HtmlRuntime): RuntimeState[] {
  return [runtime.getState(), html.getState()];
}

export function codeOf(error: unknown): string | null {
  return error instanceof BridgeError ? error.code : null;
}

export const status: BridgeStatus = bridge.status();
export const attached = (livestore: LiveStoreModule): Attachment =>
  attach({ commit: () => {}, query: () => [], subscribe: () => () => {} }, livestore);
export const endClock = (clock: Clock): (() => void) => useClock(clock);
export const configure = (options: RuntimeAgentOptions): RuntimeConfig => new RuntimeConfig(options);
