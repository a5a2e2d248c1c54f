/** A notebook whose host runs on its binding file, and ways to wait for it. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { bridge, configure, type Diagnostic, type NotebookStatus } from "runtime-bridge";
import { recordCommits, type RecordedEvent } from "../eventRecorder.js";
import type { RuntimeState } from "../old/types.js";
import { HtmlRuntime } from "../runtimes.js";
import { closeStore, commit, type EncodedEvent, openStore, type Store } from "../store.js";

/** Far beyond what anything here takes. */
const DEADLINE_MS = 20_000;

const waiting = new Set<() => void>();

/** Something has happened: whoever waits looks again. */
export const notice = (): void => queueMicrotask(() => waiting.forEach((look) => look()));

/** Resolves once `condition` holds; it is looked at after each commit, state callback and diagnostic. */
export const until = (what: string, condition: () => boolean): Promise<void> =>
  new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      waiting.delete(look);
      settle();
    };
    const look = (): void => {
      if (condition()) end(resolve);
    };
    const timer = setTimeout(() => end(() => reject(new Error(`waited in vain for: ${what}`))), DEADLINE_MS);
    waiting.add(look);
    look();
  });

/** All diagnostics of this process, in order. */
export const diagnostics: Diagnostic[] = [];
bridge.on("diagnostic", (diagnostic) => {
  diagnostics.push(diagnostic);
  notice();
});

type Variant = "legacy" | "shadow" | "live" | "registry";

/** A flag document that gives every notebook this route. */
export const routeDocument = (variant: Variant, boundary = "drain") => ({
  flags: {
    "runtime-route": {
      state: "ENABLED",
      variants: { legacy: "legacy", shadow: "shadow", live: "live", registry: "registry" },
      defaultVariant: variant,
      targeting: {},
      metadata: { boundary },
    },
  },
});

/** Gives every notebook this route. */
export const route = (variant: Variant, boundary = "drain"): void => configure({ flags: routeDocument(variant, boundary) });

export const pathOf = (sessionId: string | null | undefined): "legacy" | "registry" =>
  sessionId?.startsWith("html-registry-") === true ? "registry" : "legacy";

let opened = 0;

type Runtime = HtmlRuntime & { states: RuntimeState[] };

/** A notebook with its store open. */
export class Bound {
  readonly events: RecordedEvent[] = [];
  /** Called with the events of a commit before it takes effect; what it throws is the commit's failure. */
  beforeCommit: (events: readonly RecordedEvent[]) => void = () => undefined;
  readonly #runtimes: HtmlRuntime[] = [];
  #mostActive = 0;
  #isClosed = false;

  private constructor(readonly store: Store) {}

  static async open(t: TestContext, cells = 1): Promise<Bound> {
    opened += 1;
    const notebook = new Bound(await openStore({ storeId: `bound-${process.pid}-${opened}` }));
    for (const id of cellIds(cells)) notebook.addCell(id);
    recordCommits(notebook.store, (events) => {
      notebook.#mostActive = Math.max(notebook.#mostActive, notebook.activeSessions.length);
      notebook.beforeCommit(events);
      notebook.events.push(...events);
      notice();
    });
    t.after(() => notebook.close());
    return notebook;
  }

  /** Stops its runtimes and closes the store; closing again does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled(this.#runtimes.map((runtime) => runtime.stop()));
    await closeStore(this.store);
  }

  get id(): string {
    return this.store.storeId;
  }

  /** What an operator sees of the notebook. */
  get status(): NotebookStatus {
    const status = bridge.status().notebooks.find(({ notebook }) => notebook === this.id);
    assert.ok(status, `${this.id} is not open`);
    return status;
  }

  get serving(): string | undefined {
    return this.status.leases[0]?.path;
  }

  get activeSessions(): string[] {
    const query = "SELECT sessionId FROM runtimeSessions WHERE isActive = 1";
    return this.store.query<{ sessionId: string }[]>({ query, bindValues: {} }).map(({ sessionId }) => sessionId);
  }

  addCell(id: string): void {
    const cell = { id, cellType: "code", fractionalIndex: "a0", createdBy: "u1" };
    this.host(
      { name: "v2.CellCreated", args: cell },
      { name: "v1.CellSourceChanged", args: { id, source: `<p>${id}</p>`, modifiedBy: "u1" } },
    );
  }

  /** Commits as another part of the host, in one transaction. */
  host(...events: EncodedEvent[]): void {
    commit(this.store, ...events);
  }

  /** Requests cells to be executed, in one commit; entry `qX` executes cell `X`. */
  request(...cells: string[]): void {
    this.host(
      ...cells.map((cellId) => ({
        name: "v1.ExecutionRequested",
        args: { queueId: `q${cellId}`, cellId, executionCount: 7, requestedBy: "u1" },
      })),
    );
  }

  /** The args of all events of this name. */
  all(name: string): EncodedEvent["args"][] {
    return this.events.filter((event) => event.name === name).map(({ args }) => args);
  }

  untilCompleted(count: number): Promise<void> {
    return until(`${count} completions`, () => this.all("v1.ExecutionCompleted").length >= count);
  }

  /** Resolves once the runtime's session is on this path. */
  on(runtime: HtmlRuntime, path: "legacy" | "registry"): Promise<void> {
    const isThere = (): boolean => runtime.getState().isActive && pathOf(runtime.getState().sessionId) === path;
    return until(`${path} serves`, isThere);
  }

  /** A runtime that the test's end stops; its states are kept. */
  add<R extends HtmlRuntime>(runtime: R): R & { states: RuntimeState[] } {
    const states: RuntimeState[] = [];
    runtime.onStateChange((state) => {
      states.push(state);
      notice();
    });
    this.#runtimes.push(runtime);
    return Object.assign(runtime, { states });
  }

  /** A started runtime. */
  async start(Class: typeof HtmlRuntime = HtmlRuntime): Promise<Runtime> {
    const runtime = this.add(new Class({ store: this.store, userId: "u1" }));
    await runtime.start(this.id);
    return runtime;
  }

  /** Each of these cells was executed once, with one output and one end, and no two sessions were ever active together. */
  assertEachRanOnce(cells: readonly string[]): void {
    for (const cell of cells) {
      const count = (name: string, field: string, value: string): number =>
        this.all(name).filter((args) => args[field] === value).length;
      const times = {
        started: count("v1.ExecutionStarted", "queueId", `q${cell}`),
        completed: count("v1.ExecutionCompleted", "queueId", `q${cell}`),
        outputs: count("v1.MultimediaResultOutputAdded", "cellId", cell),
      };
      assert.deepEqual(times, { started: 1, completed: 1, outputs: 1 }, cell);
    }
    assert.equal(this.all("v1.ExecutionCompleted").length, cells.length);
    assert.ok(Math.max(this.#mostActive, this.activeSessions.length) <= 1);
  }
}

export const cellIds = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `c${String(n).padStart(3, "0")}`);

/** Resolves when nothing of the present turn is left. */
export const drained = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Host code that may be held between the start of an execution and its end. */
class HesitantRuntime extends HtmlRuntime {
  static gate: Promise<void> = Promise.resolve();
  static outputs = 1;

  override async executeCode(cellId: string, code: string): Promise<void> {
    await HesitantRuntime.gate;
    for (let shown = 0; shown < HesitantRuntime.outputs; shown += 1) await super.executeCode(cellId, code);
  }
}

/** A notebook on the old path whose first cell has been started and is held, whose second cell waits. Each shows so many outputs. */
export const held = async (t: TestContext, outputs = 1) => {
  route("legacy");
  HesitantRuntime.outputs = outputs;
  const notebook = await Bound.open(t, 2);
  let release = (): void => undefined;
  HesitantRuntime.gate = new Promise((resolve) => (release = resolve));
  const runtime = await notebook.start(HesitantRuntime);
  notebook.request("c000");
  await until("the start", () => notebook.all("v1.ExecutionStarted").length === 1);
  notebook.request("c001");
  t.after(release);
  return { notebook, runtime, release };
};
