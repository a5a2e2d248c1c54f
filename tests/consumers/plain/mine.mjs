import { BaseRuntime } from "runtime-bridge/legacy";

/** A host's own runtime. */
export class Mine extends BaseRuntime {
  constructor(id) {
    super({ id, name: id, type: "external", isLocal: true, isAvailable: true, priority: 1 }, { canExecuteCode: true });
  }

  async doStart() {}

  async doStop() {}
}

/** A flag document that gives every notebook this route. */
export const flags = (route) => ({
  flags: { "runtime-route": { state: "ENABLED", variants: { [route]: route }, defaultVariant: route, targeting: {} } },
});
