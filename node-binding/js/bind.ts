import { addonError } from "./internal/addon";
import { report, reportMissing, setHostLegacy } from "./internal/bridge";
import { messageOf } from "./internal/errors";
import { type HostRuntime, knownSeat, type OwnMethods, type Routing, seatOf } from "./internal/host-runtime";
import type { LiveStoreModule } from "./livestore";
import type { RuntimeConfiguration } from "./types";

/** The host's own old module: what its barrel exports. */
export interface LegacyModule {
  readonly HtmlRuntime: abstract new (...args: never[]) => object;
}

/** What {@link bind} is given. */
export interface BindOptions<L extends LegacyModule> extends LiveStoreModule {
  /** The namespace of the host's own old module: `import * as old from "./old"`. */
  readonly legacy: L;
  /** The host's hooks and its placeholder for React parts of the bridge; the host's own React parts never need them. */
  readonly useStore?: (...args: never[]) => unknown;
  readonly useAuth?: (...args: never[]) => unknown;
  readonly useAuthenticatedUser?: (...args: never[]) => unknown;
  readonly Loading?: unknown;
}

/** Marks a class that is routed, whichever copy of this package did it. */
const ROUTED = Symbol.for("runtime-bridge.routed");

/** A class that is routed. */
interface Routed {
  [ROUTED]?: { restore(): void };
}

/**
 * Makes the host's own old code the legacy path, and gives its exports back as they are. Sessions of its `HtmlRuntime` are
 * routed from then on, also those of objects that the host's factory makes. Where the addon cannot be loaded nothing is routed
 * and the host's code serves alone.
 */
export function bind<L extends LegacyModule>({ legacy, queryDb, Schema }: BindOptions<L>): L {
  setHostLegacy(true);
  const missing = addonError();
  if (missing) {
    reportMissing(missing);
  } else {
    route(legacy.HtmlRuntime, { queryDb, Schema });
  }
  return legacy;
}

/** Takes the routing of a bound module away. Sessions should be over by then. */
export function unbind({ HtmlRuntime }: LegacyModule): void {
  setHostLegacy(false);
  (HtmlRuntime.prototype as Routed)[ROUTED]?.restore();
}

const WRAPPED = ["doStart", "doStop", "executeCode", "generateRuntimeId", "generateSessionId"] as const;
const CALLED = ["updateState", "setBusy", "setReady", "setError", "getState", "stop"] as const;

/**
 * Routes a class by its prototype. A subclass with a factory of its own would miss the objects that the host's module makes
 * for itself, and would not be what `instanceof` asks for.
 */
function route(HtmlRuntime: LegacyModule["HtmlRuntime"], livestore: LiveStoreModule): void {
  try {
    const prototype = HtmlRuntime.prototype as HostRuntime & Routed;
    if (prototype[ROUTED]) return;
    const absent = [...WRAPPED, ...CALLED].find((name) => name !== "executeCode" && typeof prototype[name] !== "function");
    if (absent) throw new TypeError(`its HtmlRuntime has no method \`${absent}\``);
    wrap(prototype, livestore);
  } catch (error) {
    report({
      level: "error",
      code: "NOT_ROUTABLE",
      message: `bind: the legacy module cannot be routed: ${messageOf(error)}`,
      help: "give bind the namespace of the old module; its own code serves every notebook",
    });
  }
}

function wrap(prototype: HostRuntime & Routed, livestore: LiveStoreModule): void {
  const own: OwnMethods = {
    doStart: prototype.doStart,
    doStop: prototype.doStop,
    generateRuntimeId: prototype.generateRuntimeId,
    generateSessionId: prototype.generateSessionId,
    ...(prototype.executeCode && { executeCode: prototype.executeCode }),
  };
  const routed = routedMethods(own, livestore);
  const before = new Map(Object.keys(routed).map((name) => [name, Object.getOwnPropertyDescriptor(prototype, name)]));
  for (const [name, value] of Object.entries(routed)) define(prototype, name, value);
  define(prototype, ROUTED, {
    restore() {
      for (const [name, descriptor] of before) {
        if (descriptor) Object.defineProperty(prototype, name, descriptor);
        else Reflect.deleteProperty(prototype, name);
      }
      Reflect.deleteProperty(prototype, ROUTED);
    },
  });
}

function define(prototype: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false });
}

function routedMethods(own: OwnMethods, livestore: LiveStoreModule): OwnMethods {
  const { executeCode } = own;
  const methods = {
    async doStart(this: HostRuntime, notebookId: string, config: RuntimeConfiguration): Promise<void> {
      return seatOf(this, routing).start(notebookId, config);
    },
    async doStop(this: HostRuntime): Promise<void> {
      const seat = knownSeat(this);
      return seat ? seat.stop() : own.doStop.call(this);
    },
    /** Called by `start` before `doStart`: the session is admitted here, so that its first ids are its only ones. */
    generateRuntimeId(this: HostRuntime): string {
      if (!this.getState().isStarting) return own.generateRuntimeId.call(this);
      const seat = seatOf(this, routing);
      seat.admit();
      return seat.admittedIds?.runtimeId ?? own.generateRuntimeId.call(this);
    },
    generateSessionId(this: HostRuntime, runtimeId: string): string {
      const ids = knownSeat(this)?.admittedIds;
      return ids?.runtimeId === runtimeId ? ids.sessionId : own.generateSessionId.call(this, runtimeId);
    },
    ...(executeCode && {
      executeCode(this: HostRuntime, ...given: [string, string, ...unknown[]]): Promise<void> {
        const seat = knownSeat(this);
        return seat?.isServedByRegistry ? seat.executeCode(given[0], given[1]) : executeCode.apply(this, given);
      },
    }),
  };
  const routing: Routing = {
    own,
    livestore,
    isBuiltIn: (runtime) => runtime.doStart === methods.doStart && runtime.doStop === methods.doStop,
  };
  return methods;
}
