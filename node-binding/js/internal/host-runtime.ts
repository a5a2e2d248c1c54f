import { attach, hasLiveQuery, type LiveStoreModule } from "../livestore";
import type { LiveStore, RuntimeCapabilities, RuntimeConfiguration, RuntimeState } from "../types";
import { addon, addonOrNull } from "./addon";
import { report } from "./bridge";
import { messageOf } from "./errors";
import { commitFacade, type Facade } from "./facade";
import { type Notebook, notebookOf, type Seated } from "./notebook";
import { attempt, awaited, done } from "./perform";
import type { Answer, FacadeState, Hook, SessionIds } from "./protocol";

/** A runtime object of the host's own `HtmlRuntime`, as the old surface has it; what is protected there is called by name. */
export interface HostRuntime extends OwnMethods {
  readonly metadata: { readonly id: string; readonly type: string };
  readonly capabilities: RuntimeCapabilities;
  readonly configuration: RuntimeConfiguration;
  readonly notebookId: string | null;
  getState(): RuntimeState;
  stop(): Promise<void>;
  updateState(updates: Partial<RuntimeState>): void;
  setBusy(): void;
  setReady(): void;
  setError(error: string): void;
}

/** What the host's class says for itself, and the routing puts itself in front of. */
export interface OwnMethods {
  readonly doStart: (this: HostRuntime, notebookId: string, config: RuntimeConfiguration) => Promise<void>;
  readonly doStop: (this: HostRuntime) => Promise<void>;
  readonly executeCode?: (this: HostRuntime, cellId: string, code: string, ...more: unknown[]) => Promise<void>;
  readonly generateRuntimeId: (this: HostRuntime) => string;
  readonly generateSessionId: (this: HostRuntime, runtimeId: string) => string;
}

/** What sessions of a bound class are routed with. */
export interface Routing {
  readonly own: OwnMethods;
  /** The LiveStore of the host's stores. */
  readonly livestore: LiveStoreModule;
  /** Whether `doStart` and `doStop` of this object are the bound class's, not those of a subclass of the host's. */
  isBuiltIn(runtime: HostRuntime): boolean;
}

/** What the old `doStart` is given. */
type HtmlConfiguration = RuntimeConfiguration & { store?: LiveStore; userId?: string };

const seats = new WeakMap<HostRuntime, HostSeat>();

const leaving = new FinalizationRegistry<{ notebook: WeakRef<Notebook>; runtime: number }>(({ notebook, runtime }) => {
  notebook.deref()?.step({ type: "forget", runtime });
});

const dropping = new FinalizationRegistry<number>((handle) => addonOrNull()?.dropRuntime(handle));

/** The seat of a host's runtime object, if it has ever started a session. */
export function knownSeat(runtime: HostRuntime): HostSeat | undefined {
  return seats.get(runtime);
}

/** The seat of a host's runtime object. */
export function seatOf(runtime: HostRuntime, routing: Routing): HostSeat {
  const known = seats.get(runtime);
  if (known) return known;
  const seat = new HostSeat(runtime, routing);
  seats.set(runtime, seat);
  return seat;
}

/**
 * A runtime object of the host's own class at its notebook. On the old path the host's methods run as they always did, but for
 * the store they are given; on the new path they do not run.
 */
class HostSeat implements Seated {
  readonly handle: number;
  readonly #runtime: HostRuntime;
  readonly #routing: Routing;
  #notebook: Notebook | null = null;
  /** The ids under which the session that is starting is admitted, none on the old path. */
  #admitted: { ids: SessionIds | null } | null = null;
  /** What `doStart` was given, from then to `doStop`: the host's code may have to take the session over. */
  #given: { notebookId: string; config: HtmlConfiguration & { store: LiveStore } } | null = null;
  #facade: Facade | null = null;
  /** What the host's code may do. */
  #state: FacadeState = { is: "closed" };
  #hasSession = false;

  constructor(runtime: HostRuntime, routing: Routing) {
    this.#runtime = runtime;
    this.#routing = routing;
    // The lifecycle behind this handle is never stepped, the host's own class has one; the handle names the object's seat.
    this.handle = addon().createRuntime(runtime.metadata.id);
    dropping.register(runtime, this.handle);
  }

  /** True while the session is the new path's. */
  get isServedByRegistry(): boolean {
    return this.#hasSession && this.#state.is === "closed";
  }

  /** The ids of the session that is starting, where the router gives them. */
  get admittedIds(): SessionIds | null {
    return this.#admitted?.ids ?? null;
  }

  /** Asks the router, with what the host's `start` has merged into its fields. */
  admit(notebookId = this.#runtime.notebookId, config: HtmlConfiguration = this.#runtime.configuration): void {
    this.#admitted = null;
    const { store, userId } = config;
    // The host's own doStart says what it misses.
    if (!store || !userId) return;
    const notebook = this.#sitDown(store, notebookId ?? "");
    const isBuiltIn = this.#routing.isBuiltIn(this.#runtime);
    const { type } = this.#runtime.metadata;
    this.#admitted = { ids: notebook.admit(this, { runtimeType: type, userId, isBuiltIn, legacy: "host" }) };
  }

  async start(notebookId: string, config: HtmlConfiguration): Promise<void> {
    if (!this.#admitted) this.admit(notebookId, config);
    const admitted = this.#admitted;
    this.#admitted = null;
    const { store } = config;
    if (!admitted || !store || !this.#notebook) return this.#routing.own.doStart.call(this.#runtime, notebookId, config);
    this.#given = { notebookId, config: { ...config, store } };
    this.#facade = null;
    this.#hasSession = false;
    // A host that makes its own ids is told of the router's all the same.
    if (admitted.ids && this.#ids().sessionId !== admitted.ids.sessionId) this.#runtime.updateState(admitted.ids);
    const { capabilities } = this.#runtime;
    await this.#notebook.call(this, { name: "start", ids: this.#ids(), capabilities });
    this.#hasSession = true;
  }

  async stop(): Promise<void> {
    // A subclass may have put its own doStart in place of the class's, and have kept its doStop.
    if (!this.#notebook || !this.#given) return this.#routing.own.doStop.call(this.#runtime);
    await this.#notebook.call(this, { name: "stop" });
    this.#hasSession = false;
    this.#facade = null;
    this.#given = null;
  }

  /** `executeCode` of a session of the new path. */
  async executeCode(cellId: string, code: string): Promise<void> {
    await this.#notebook?.call(this, { name: "executeCode", cellId, code });
  }

  facade(state: FacadeState): void {
    this.#state = state;
    this.#facade?.grant(state);
  }

  adopt(ids: SessionIds): void {
    this.#tell(() => this.#runtime.updateState({ ...ids, status: "ready" }));
  }

  hook(hook: Hook): Answer | Promise<Answer> {
    const runtime = this.#runtime;
    const { own } = this.#routing;
    switch (hook.method) {
      case "doStart":
        return this.#begin();
      case "doStop":
        return awaited(() => own.doStop.call(runtime));
      case "executeCode":
        return awaited(() => own.executeCode?.call(runtime, hook.cellId, hook.code));
      case "stop":
        return awaited(() => runtime.stop());
      case "setBusy":
        return this.#tell(() => runtime.setBusy());
      case "setReady":
        return this.#tell(() => runtime.setReady());
      case "setError":
        return this.#tell(() => runtime.setError(hook.message));
      default:
        return done;
    }
  }

  /** Runs the host's `doStart` on a facade of its own: what an earlier session left behind keeps its old token. */
  async #begin(): Promise<Answer> {
    if (!this.#notebook || !this.#given) return done;
    const { notebookId, config } = this.#given;
    const notebook = this.#notebook;
    const isTakingOver = this.#hasSession;
    this.#facade = commitFacade(config.store, this.#state, (...commit) => notebook.hostCommit(this.handle, ...commit));
    const { store } = this.#facade;
    const answer = await awaited(() => this.#routing.own.doStart.call(this.#runtime, notebookId, { ...config, store }));
    if (isTakingOver && "Err" in answer) {
      report({
        level: "error",
        code: "HOST_START_FAILED",
        message: `the host's doStart failed while it took over a session of notebook \`${notebookId}\`: ${answer.Err.message}`,
        help: "stop and start the runtime; until then nothing serves it",
      });
    }
    return answer;
  }

  #ids(): SessionIds {
    const { runtimeId, sessionId } = this.#runtime.getState();
    return { runtimeId: String(runtimeId), sessionId: String(sessionId) };
  }

  /** Takes a seat at the notebook of a store, which is attached the first time that it is met. */
  #sitDown(store: LiveStore, notebookId: string): Notebook {
    attachOnce(store, this.#routing.livestore);
    const notebook = notebookOf(store, notebookId);
    if (this.#notebook !== notebook) leaving.register(this.#runtime, { notebook: new WeakRef(notebook), runtime: this.handle });
    this.#notebook = notebook;
    return notebook;
  }

  /** Calls a method that only tells the host something; what it throws stops nothing. */
  #tell(method: () => void): Answer {
    return attempt(() => {
      method();
      return done;
    });
  }
}

const met = new WeakSet<LiveStore>();

/** A store that the host has detached stays detached. */
function attachOnce(store: LiveStore, livestore: LiveStoreModule): void {
  if (met.has(store) || hasLiveQuery(store)) return;
  met.add(store);
  try {
    attach(store, livestore);
  } catch (error) {
    report({
      level: "error",
      code: "ATTACH_FAILED",
      message: `the store of a bound runtime cannot be attached: ${messageOf(error)}`,
      help: "give bind the `queryDb` and `Schema` of the store's own LiveStore; until then the host's code serves its notebook",
    });
  }
}
