/**
 * The older generation of the old runtime layer, `HtmlRuntimeManager`, as far as it exists without React.
 *
 * @module
 */

import { addon } from "./internal/addon";
import { wallMs } from "./internal/clock";
import { BridgeError } from "./internal/errors";
import { type Mounted, type Notebook, notebookOf } from "./internal/notebook";
import { hasLiveQuery } from "./livestore";
import type { HtmlRuntimeState, LiveStore } from "./types";

export type { HtmlRuntimeContextType, HtmlRuntimeState } from "./types";

/** What the old component took from its context and its props. */
export interface HtmlRuntimeManagerOptions {
  /** The notebook's store; it has to be attached with `attach` of `runtime-bridge/livestore`. */
  readonly store: LiveStore;
  /** The notebook's id, where the store has no `storeId`. */
  readonly notebookId: string;
  /** Whether somebody is logged in. */
  readonly isAuthenticated: boolean;
  /** On whose behalf it runs; flags can target it. */
  readonly userId?: string;
}

/** A manager at its notebook. */
interface Place {
  readonly notebook: Notebook;
  readonly manager: Mounted;
}

const NEVER_RENDERED: HtmlRuntimeState = Object.freeze({
  isActive: false,
  isStarting: false,
  isStopping: false,
  error: null,
  runtimeId: null,
  sessionId: null,
});

/** A notebook keeps a seat for every manager that it has met, until the manager is collected. */
const leaving = new FinalizationRegistry<{ notebook: WeakRef<Notebook>; runtime: number }>(({ notebook, runtime }) => {
  notebook.deref()?.step({ type: "forget", runtime });
});

/**
 * What the old `HtmlRuntimeManager` did between mounting and unmounting, for owners with and without React. Its session is
 * served by the path that the notebook's flag gives; on the legacy path it behaves as the old component, oddities included.
 *
 * State changes show with the next render, a turn of the event loop after their cause, and a call acts on what the last render
 * showed: `stopRuntime` in the same turn as `startRuntime` finds nothing to stop, as it did when both came from one render.
 * An owner that has mounted it has to unmount it, or its session goes on.
 */
export class HtmlRuntimeManagerSession {
  readonly #options: HtmlRuntimeManagerOptions;
  readonly #subscribers = new Set<() => void>();
  #isAuthenticated: boolean;
  #isMounted = false;
  /** Its place at its notebook, from the first mounting on. */
  #place: Place | null = null;
  #state: HtmlRuntimeState = NEVER_RENDERED;
  #thrown: { readonly reason: unknown } | null = null;

  constructor(options: HtmlRuntimeManagerOptions) {
    this.#options = options;
    this.#isAuthenticated = options.isAuthenticated;
  }

  /** Renders for the first time, under ids of its own; nothing starts by itself. Mounting a mounted one does nothing. */
  mount(): void {
    if (this.#isMounted) return;
    if (!hasLiveQuery(this.#options.store)) {
      throw new BridgeError(
        "NOT_ATTACHED",
        "the manager needs the live query of its store",
        "call attach(store, { queryDb, Schema }) of runtime-bridge/livestore before it mounts",
      );
    }
    this.#place ??= this.#takePlace();
    const runtimeId = addon().generateRuntimeId("html");
    const ids = { runtimeId, sessionId: addon().generateSessionId(runtimeId, wallMs()) };
    this.#isMounted = true;
    this.#thrown = null;
    this.#tell({ name: "mount", ids, isAuthenticated: this.#isAuthenticated });
  }

  /** Ends an active session. */
  unmount(): void {
    if (!this.#isMounted) return;
    this.#isMounted = false;
    this.#tell({ name: "unmount" });
  }

  /** Somebody logged in or out; logging out ends an active session. */
  setAuth(isAuthenticated: boolean): void {
    this.#isAuthenticated = isAuthenticated;
    if (this.#isMounted) this.#tell({ name: "setAuth", isAuthenticated });
  }

  /** Starts a session. What goes wrong in the store shows in the state; the promise does not reject for it. */
  readonly startRuntime = (): Promise<void> => this.#call("startRuntime");

  /** Ends the active session. What goes wrong in the store shows in the state; the promise does not reject for it. */
  readonly stopRuntime = (): Promise<void> => this.#call("stop");

  /** Stops, and starts 100 ms later; the promise resolves in between. On the legacy path an active runtime only stops. */
  readonly restartRuntime = (): Promise<void> => this.#call("restartRuntime");

  /** The state of the last render: the same object until the next one differs. */
  readonly getState = (): HtmlRuntimeState => this.#state;

  /** What took the manager down, as the old component threw it into its tree; `null` while nothing has. */
  readonly getThrown = (): { readonly reason: unknown } | null => this.#thrown;

  /** Calls back when the state has changed or something was thrown; gives the function that ends it. */
  readonly subscribe = (callback: () => void): (() => void) => {
    this.#subscribers.add(callback);
    return () => {
      this.#subscribers.delete(callback);
    };
  };

  #takePlace(): Place {
    const notebook = notebookOf(this.#options.store, this.#options.notebookId);
    const handle = addon().createManager();
    leaving.register(this, { notebook: new WeakRef(notebook), runtime: handle });
    const manager: Mounted = {
      handle,
      show: (state) => {
        this.#state = state;
        this.#notify();
      },
      raise: (reason) => {
        this.#isMounted = false;
        this.#thrown = { reason };
        this.#notify();
      },
    };
    return { notebook, manager };
  }

  /** Each start asks anew which path serves; a restart's asks again when its time has come. */
  async #call(name: "startRuntime" | "stop" | "restartRuntime"): Promise<void> {
    if (this.#place === null) {
      throw new BridgeError("NOT_MOUNTED", `${name}: the manager was never mounted`, "call mount() before");
    }
    const { notebook, manager } = this.#place;
    if (name !== "stop") notebook.admit(manager, { runtimeType: "html", userId: this.#options.userId, isBuiltIn: true, legacy: "compat" });
    return notebook.callManager(manager, { name });
  }

  /** A call whose end nobody waits for: a core that fails has been reported. */
  #tell(method: Parameters<Notebook["callManager"]>[1]): void {
    const { notebook, manager } = this.#place as Place;
    notebook.callManager(manager, method).catch(() => {});
  }

  #notify(): void {
    for (const callback of this.#subscribers) {
      try {
        callback();
      } catch (error) {
        console.error("Error in subscriber of HtmlRuntimeManager:", error);
      }
    }
  }
}
