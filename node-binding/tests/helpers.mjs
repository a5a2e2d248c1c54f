// A notebook on a real LiveStore store, what its host can see, and ways to wait for it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { attach } from "runtime-bridge/livestore";
import { bridge, configure } from "runtime-bridge";
import { HtmlRuntime } from "runtime-bridge/legacy";

/** The LiveStore whose stores the tests use: `0.3`, or `0.4` where the environment says so. */
export const LIVESTORE = process.env["LIVESTORE"] ?? "0.3";

const host = new URL(`../../tests/hosts/livestore-${LIVESTORE}/build/`, import.meta.url);
const { recordCommits } = await import(new URL("eventRecorder.js", host));
const { closeStore, commit, follow, openStore, queryDb, Schema, tables } = await import(new URL("store.js", host));

export { follow, queryDb, Schema };

/** For tests in which a callback of the host's throws within a commit: 0.4 shuts the store down then. */
export const CALLBACKS_MAY_THROW = { skip: LIVESTORE === "0.4" };

/** How long a test waits for something before it fails: far beyond what anything here takes. */
const DEADLINE_MS = 20_000;

const waiting = new Set();

/** Something has happened: whoever waits looks again, once the code that made it happen has returned. */
export const notice = () => queueMicrotask(() => waiting.forEach((look) => look()));

/** Resolves once `condition` holds; it is looked at after each commit, state callback and diagnostic. */
export const until = (what, condition) => {
  if (condition()) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      clearTimeout(timer);
      waiting.delete(look);
      settle(value);
    };
    const look = () => {
      if (condition()) end(resolve);
    };
    const timer = setTimeout(() => end(reject, new Error(`waited in vain for: ${what}`)), DEADLINE_MS);
    waiting.add(look);
  });
};

/** Rejects where `promise` does not settle. */
export const settled = (what, promise) => {
  let isOver = false;
  const over = () => {
    isOver = true;
    notice();
  };
  promise.then(over, over);
  return until(what, () => isOver).then(() => promise);
};

/** All diagnostics of this process, in order. */
export const diagnostics = [];
bridge.on("diagnostic", (diagnostic) => {
  diagnostics.push(diagnostic);
  notice();
});

/** The diagnostics with this code since the test looked at `diagnostics.length`. */
export const reported = (code, since = 0) => diagnostics.slice(since).filter((diagnostic) => diagnostic.code === code);

/** A flag document that gives every notebook this variant, unless `targeting` says otherwise. */
export const routes = (variant, { state = "ENABLED", targeting = {}, variants = {}, ...metadata } = {}) => ({
  flags: {
    "runtime-route": {
      state,
      variants: { legacy: "legacy", shadow: "shadow", live: "live", registry: "registry", ...variants },
      defaultVariant: variant,
      targeting,
      metadata,
    },
  },
});

/** Puts a document in force; without `boundary` it says `drain`. */
export const route = (variant, options = { boundary: "drain" }) => configure({ flags: routes(variant, options) });

/** A folder that goes with the test. */
export const folder = (t) => {
  const path = mkdtempSync(join(tmpdir(), "runtime-bridge-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

/** Replaces a file as editors and deployments do: at once. */
export const replaceFile = (path, document) => {
  writeFileSync(`${path}.new`, typeof document === "string" ? document : JSON.stringify(document));
  renameSync(`${path}.new`, path);
};

let notebookCount = 0;

/** A notebook with its store open; `cells` are sources by cell id. */
export class Notebook {
  /** Each commit as the list of its events, in order. */
  commits = [];
  /** How many sessions were active after each commit: never more than one. */
  activeAfter = [];
  #runtimes = [];
  /** Called with the events of each commit before it takes effect; what it throws is the commit's failure. */
  beforeCommit = () => {};

  static async open(t, { cells = { a: "<b>a</b>" }, isAttached = true } = {}) {
    notebookCount += 1;
    const notebook = new Notebook();
    notebook.store = await openStore({ storeId: `nb-${process.pid}-${notebookCount}` });
    for (const [id, source] of Object.entries(cells)) notebook.addCell(id, source);
    if (isAttached) attach(notebook.store, { queryDb, Schema });
    recordCommits(notebook.store, (events) => {
      notebook.activeAfter.push(notebook.activeSessions.length);
      notebook.beforeCommit(events);
      notebook.commits.push(events);
      notice();
    });
    t?.after(() => notebook.close());
    return notebook;
  }

  /** Stops the runtimes that the test has left running, then closes the store. */
  async close() {
    await Promise.allSettled(this.#runtimes.map((runtime) => runtime.stop()));
    // A test may have lost it.
    await closeStore(this.store).catch(() => {});
  }

  get id() {
    return this.store.storeId;
  }

  addCell(id, source) {
    this.host(
      { name: "v2.CellCreated", args: { id, cellType: "code", fractionalIndex: "a0", createdBy: "u1" } },
      { name: "v1.CellSourceChanged", args: { id, source, modifiedBy: "u1" } },
    );
  }

  /** Commits as the host, in one transaction. */
  host(...events) {
    commit(this.store, ...events);
  }

  /** Requests cells to be executed, in one commit; a request is `[queueId, cellId]`. */
  request(...requests) {
    this.host(
      ...requests.map(([queueId, cellId]) => ({
        name: "v1.ExecutionRequested",
        args: { queueId, cellId, executionCount: 7, requestedBy: "u1" },
      })),
    );
  }

  get events() {
    return this.commits.flat();
  }

  /** The names of the runtime's events from commit `since` on, without their version. */
  names(since = 0) {
    return this.commits.slice(since).flat().map(({ name }) => name.replace(/^v\d+\./, ""));
  }

  /** The args of all events of this name. */
  all(name) {
    return this.events.filter((event) => event.name === name).map(({ args }) => args);
  }

  /** The args of the completions, in order. */
  get completed() {
    return this.all("v1.ExecutionCompleted");
  }

  get rows() {
    return tables(this.store);
  }

  get activeSessions() {
    const rows = this.store.query({ query: "SELECT sessionId FROM runtimeSessions WHERE isActive = 1", bindValues: {} });
    return rows.map(({ sessionId }) => sessionId);
  }

  /** Resolves once so many executions have completed. */
  untilCompleted(count) {
    return until(`${count} completions`, () => this.completed.length >= count);
  }

  /** An HtmlRuntime, not started; its states are kept in `states`. */
  runtime(Class = HtmlRuntime) {
    const runtime = new Class({ store: this.store, userId: "u1" });
    this.#runtimes.push(runtime);
    return Object.assign(runtime, { states: statesOf(runtime) });
  }

  /** A started HtmlRuntime. */
  async start(Class = HtmlRuntime) {
    const runtime = this.runtime(Class);
    await runtime.start(this.id);
    return runtime;
  }

  /** Each of these executions started once, completed once, and its cell got one output; cells are not shared. */
  assertEachRanOnce(requests) {
    const count = (name, isMeant) => this.all(name).filter(isMeant).length;
    for (const [queueId, cellId] of requests) {
      const isExecution = (args) => args.queueId === queueId;
      const times = {
        started: count("v1.ExecutionStarted", isExecution),
        completed: count("v1.ExecutionCompleted", isExecution),
        outputs: count("v1.MultimediaResultOutputAdded", (args) => args.cellId === cellId),
      };
      assert.deepEqual(times, { started: 1, completed: 1, outputs: 1 }, queueId);
    }
    assert.equal(this.completed.length, requests.length);
  }

  /** No commit left two sessions active. */
  assertNeverTwoSessions() {
    assert.ok(Math.max(...this.activeAfter, this.activeSessions.length) <= 1);
  }
}

/** All states that a runtime shows from now on. */
export const statesOf = (runtime) => {
  const states = [];
  runtime.onStateChange((state) => {
    states.push(state);
    notice();
  });
  return states;
};

/** So many cells, each with its one request: `{ cells, requests }`. */
export const cellsAndRequests = (count) => {
  const names = Array.from({ length: count }, (_, n) => String(n).padStart(3, "0"));
  return {
    cells: Object.fromEntries(names.map((name) => [`c${name}`, `<p>${name}</p>`])),
    requests: names.map((name) => [`q${name}`, `c${name}`]),
  };
};

/** A clock that stands still until it is advanced. */
export class VirtualClock {
  #now = 1_700_000_000_000;
  #timers = new Map();
  #last = 0;

  now = () => this.#now;
  setTimeout = (callback, ms) => this.#add(callback, ms, null);
  clearTimeout = (timer) => this.#timers.delete(timer);
  setInterval = (callback, ms) => this.#add(callback, ms, ms);
  clearInterval = (timer) => this.#timers.delete(timer);

  get timerCount() {
    return this.#timers.size;
  }

  /** Moves on, calling what falls due in order; everything that a callback brings about is over before the next. */
  async advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      await drained();
      const [timer, due] = [...this.#timers].sort((a, b) => a[1].at - b[1].at)[0] ?? [];
      if (!due || due.at > end) break;
      this.#now = due.at;
      if (due.every === null) this.#timers.delete(timer);
      else due.at += due.every;
      due.callback();
    }
    this.#now = end;
    await drained();
  }

  #add(callback, ms, every) {
    this.#last += 1;
    this.#timers.set(this.#last, { callback, at: this.#now + ms, every });
    return this.#last;
  }
}

/** Resolves when no microtask is left. */
export const drained = () => new Promise((resolve) => setImmediate(resolve));

/** The package's folder. */
export const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

/** Runs a script as a process of its own, to its end: `{ code, signal, stdout, stderr }`. One that hangs is ended by a signal. */
export const run = (script, { env = {}, args = [], isModule = true } = {}) =>
  new Promise((resolve, reject) => {
    const kind = isModule ? "--input-type=module" : "--input-type=commonjs";
    const child = spawn(process.execPath, [...args, kind, "--eval", script], {
      cwd: PACKAGE,
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: "", ...env },
      timeout: DEADLINE_MS,
      killSignal: "SIGKILL",
    });
    const out = { stdout: "", stderr: "" };
    child.stdout.on("data", (text) => (out.stdout += text));
    child.stderr.on("data", (text) => (out.stderr += text));
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, ...out }));
  });

/** Runs a script that must end by itself with success; gives what it wrote. */
export const runs = async (script, options) => {
  const { code, signal, stdout, stderr } = await run(script, options);
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, `${stdout}${stderr}`);
  return stdout;
};
