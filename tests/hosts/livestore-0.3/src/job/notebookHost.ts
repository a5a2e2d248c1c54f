/**
 * The host of one notebook: it owns the notebook's store, requests executions, and runs them behind the old API. Which path
 * serves them is none of its business.
 */
import { bridge, type Decision } from "runtime-bridge";
import { HtmlRuntime } from "runtime-bridge/legacy";
import { attach } from "runtime-bridge/livestore";
import { recordCommits, type RecordedEvent } from "../eventRecorder.js";
import type { ImportedCell } from "../ipynb.js";
import { tables } from "../schema.js";
import { closeStore, commit, follow, openStore, queryDb, Schema, type EncodedEvent, type Store } from "../store.js";
import { Accounting, sumOf, type Requested, type Verdict } from "./accounting.js";
import { Comparisons } from "./comparisons.js";
import { messageOf } from "./failure.js";
import { sourceBytes, type LoadedNotebook } from "./notebooks.js";

const USER = "user-1";

/** A single execution takes milliseconds. A store in which nothing at all is committed for this long has lost its work. */
const STALL_MS = 60_000;

/** As many as the registry commits in one step; all cells of a large notebook at once would block for seconds. */
const EVENTS_A_COMMIT = 100;

/**
 * A LiveStore 0.3.1 store dies in its 16 MiB of memory once it has taken some 1.8 MB of outputs. A notebook that is run
 * again and again moves to a fresh store at half of that.
 */
const STORE_BYTES_BUDGET = 900_000;

/** What an execution costs a store besides its output: its events, in both of LiveStore's databases. */
const EXECUTION_BYTES = 1000;

/** Where a notebook's session is. */
export interface Lease {
  readonly path: "legacy" | "registry";
  readonly decision: Decision;
}

const unfinished = queryDb(
  tables.executionQueue.where({ status: { op: "IN", value: ["pending", "assigned", "executing"] } }).count(),
  { label: "unfinished executions" },
);

/** What is open between `open` and `close`. */
interface Session {
  readonly store: Store;
  readonly runtime: HtmlRuntime;
  readonly accounting: Accounting;
}

export class NotebookHost {
  readonly loaded: LoadedNotebook;
  /** What kept the notebook from being run or closed in order. */
  readonly problems: string[] = [];
  /** What the comparisons of both paths have said, in all runs. */
  readonly compared = new Comparisons();
  /** How often its cells have been requested. */
  runs = 0;
  /** From the last request to the end of its last execution; null before. */
  milliseconds: number | null = null;

  readonly #onProgress: () => void;
  readonly #onMoved: () => void;
  readonly #html: readonly ImportedCell[];
  #session: Session | null = null;
  #storeBytes = 0;
  /** The session seen last, and its lease, which outlives it here. */
  #seen: { readonly sessionId: string; readonly lease: Lease } | null = null;
  #ranOn: Lease["path"] | null = null;
  #lastRun: ReadonlySet<string> = new Set();
  #lastVerdict: Verdict = sumOf([]);
  /** The verdicts on stores that are closed. */
  readonly #settled: Verdict[] = [];
  #endedBefore = 0;
  #requested = 0;

  constructor(loaded: LoadedNotebook, onProgress: () => void, onMoved: () => void) {
    this.loaded = loaded;
    this.#onProgress = onProgress;
    this.#onMoved = onMoved;
    this.#html = loaded.notebook.cells.filter(({ html }) => html);
  }

  get htmlCells(): number {
    return this.#html.length;
  }

  /** Requested, and ended in whatever way, since the first run. */
  get progress(): { readonly requested: number; readonly ended: number } {
    return { requested: this.#requested, ended: this.#endedBefore + (this.#session?.accounting.ended ?? 0) };
  }

  /** Where the session is now, or was when it ended; null before it was anywhere. */
  get lease(): Lease | null {
    this.#look();
    return this.#seen?.lease ?? null;
  }

  /** The path on which the last run began, if another one serves the notebook now; else null. */
  get movedFrom(): Lease["path"] | null {
    return this.lease?.path === this.#ranOn ? null : this.#ranOn;
  }

  /** The verdict on everything that was ever requested. */
  get verdict(): Verdict {
    return sumOf([...this.#settled, ...(this.#session === null ? [] : [verdictOf(this.#session)])]);
  }

  get lastRun(): Verdict {
    return this.#session === null ? this.#lastVerdict : verdictOf(this.#session, this.#lastRun);
  }

  /** Requests all html cells and waits until none is under way. Rejects never: what goes wrong is a problem. */
  async run(): Promise<void> {
    await this.#attempt(async () => {
      const bytes = this.#html.reduce((sum, cell) => sum + sourceBytes(cell) + EXECUTION_BYTES, 0);
      if (this.#session !== null && this.#storeBytes + bytes > STORE_BYTES_BUDGET) await this.close();
      this.#session ??= await this.#open();
      this.#storeBytes += bytes;
      this.runs += 1;
      this.#ranOn = this.lease?.path ?? null;
      const since_ms = performance.now();
      this.#request(this.#session);
      const stuck = this.#html.length === 0 ? null : await finished(this.#session);
      this.milliseconds = performance.now() - since_ms;
      if (stuck === null) return;
      this.problems.push(stuck);
      // What is left of such a store serves nobody; the next run begins with a fresh one.
      await this.close();
    });
  }

  /** Stops the runtime, takes the account, closes the store. */
  async close(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    this.#look();
    await this.#attempt(() => session.runtime.stop());
    this.#lastVerdict = verdictOf(session, this.#lastRun);
    this.#settled.push(verdictOf(session));
    this.#endedBefore += session.accounting.ended;
    this.#session = null;
    await this.#attempt(() => closeStore(session.store));
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.problems.push(messageOf(error));
    }
  }

  async #open(): Promise<Session> {
    const { notebook } = this.loaded;
    const store = await openStore({ storeId: notebook.id });
    const accounting = new Accounting();
    onCommitted(store, (events) => {
      accounting.observe(events);
      this.#onProgress();
    });
    attach(store, { queryDb, Schema });
    this.#storeBytes = notebook.cells.reduce((sum, cell) => sum + sourceBytes(cell), 0);
    commitAll(store, this.#creation());
    const runtime = new HtmlRuntime({ store, userId: USER });
    const session = { store, runtime, accounting };
    // The runtime calls back at each change; a session that was moved has new ids.
    runtime.onStateChange(({ sessionId }) => {
      if (sessionId !== this.#seen?.sessionId && this.movedFrom !== null) this.#onMoved();
    });
    try {
      await runtime.start(notebook.id);
    } catch (error) {
      await this.#attempt(() => closeStore(store));
      throw error;
    }
    return session;
  }

  #look(): void {
    const sessionId = this.#session?.runtime.getState().sessionId;
    if (sessionId === undefined || sessionId === null) return;
    const leases = bridge.status().notebooks.flatMap(({ leases }) => leases);
    const lease = leases.find((one) => one.sessionId === sessionId);
    if (lease !== undefined) this.#seen = { sessionId, lease: { path: lease.path, decision: lease.decision } };
  }

  #creation(): EncodedEvent[] {
    const { id, title, cells } = this.loaded.notebook;
    return [
      { name: "v1.NotebookInitialized", args: { id, title, ownerId: USER } },
      ...cells.flatMap(({ id, cellType, source }, index) => [
        { name: "v2.CellCreated", args: { id, fractionalIndex: `a${padded(index)}`, cellType, createdBy: USER } },
        { name: "v1.CellSourceChanged", args: { id, source, modifiedBy: USER } },
      ]),
    ];
  }

  #request({ store, accounting }: Session): void {
    const requests = this.#html.map(({ id, source }, index): Requested => {
      const queueId = `${this.loaded.notebook.id}.${padded(this.runs)}.${padded(index + 1)}`;
      return { queueId, cellId: id, source };
    });
    for (const request of requests) accounting.expect(request);
    this.#lastRun = new Set(requests.map(({ queueId }) => queueId));
    this.#requested += requests.length;
    commitAll(
      store,
      requests.map(({ queueId, cellId }) => ({
        name: "v1.ExecutionRequested",
        args: { queueId, cellId, executionCount: this.runs, requestedBy: USER },
      })),
    );
  }
}

/** The old path takes entries in the order of their ids as text. */
const padded = (number: number): string => String(number).padStart(4, "0");

/** Observes the commits that took effect. The recorder sees each before that, and a store may refuse it. */
const onCommitted = (store: Store, observe: (events: readonly RecordedEvent[]) => void): void => {
  let recorded: readonly RecordedEvent[] = [];
  recordCommits(store, (events) => {
    recorded = events;
  });
  const commitRecorded = store.commit as (...args: readonly unknown[]) => void;
  store.commit = ((...args: readonly unknown[]) => {
    recorded = [];
    commitRecorded(...args);
    observe(recorded);
  }) as Store["commit"];
};

const commitAll = (store: Store, events: readonly EncodedEvent[]): void => {
  for (let start = 0; start < events.length; start += EVENTS_A_COMMIT) {
    commit(store, ...events.slice(start, start + EVENTS_A_COMMIT));
  }
};

const verdictOf = ({ store, accounting }: Session, only?: ReadonlySet<string>): Verdict => {
  const statuses = statusesOf(store);
  return accounting.verdict((queueId) => statuses.get(queueId), only);
};

/** The rows of the queue by id: none where the store is dead, which then vouches for nothing. */
const statusesOf = (store: Store): ReadonlyMap<string, string> => {
  const query = "SELECT id, status FROM executionQueue";
  try {
    const rows = store.query<{ id: string; status: string }[]>({ query, bindValues: {} });
    return new Map(rows.map(({ id, status }) => [id, status]));
  } catch {
    return new Map();
  }
};

/** Waits until no execution is under way; gives the reason where that will never be. */
const finished = async ({ store, runtime }: Session): Promise<string | null> => {
  const ending: (() => unknown)[] = [];
  try {
    return await new Promise<string | null>((resolve) => {
      const stall = () => resolve(`nothing was committed for ${STALL_MS / 1000} s`);
      const timer = setTimeout(stall, STALL_MS);
      ending.push(() => clearTimeout(timer));
      ending.push(recordCommits(store, () => timer.refresh()));
      ending.push(
        runtime.onStateChange(({ status, error }) => {
          if (status === "error") resolve(`the runtime has failed: ${error ?? "no reason given"}`);
        }),
      );
      ending.push(
        follow(store, unfinished, (count) => {
          if (count === 0) resolve(null);
        }),
      );
    });
  } finally {
    for (const end of ending) end();
  }
};
