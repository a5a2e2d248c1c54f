/** A process that opens what a killed one has left, serves it on the registry, and says what became of it. */
import { bridge, configure } from "runtime-bridge";
import { recordCommits, type RecordedEvent } from "../eventRecorder.js";
import { HtmlRuntime } from "../runtimes.js";
import { closeStore, openStore, tables } from "../store.js";
import { diagnostics, notice, route, until } from "./bound.js";
import { type Death, notebookOf } from "./death.js";

type Statuses = Readonly<Record<string, string>>;

/** What became of a notebook. */
export interface Recovery {
  /** The entries by status, as they were found and as they are left. */
  readonly found: Statuses;
  readonly left: Statuses;
  /** The ids of the entries that this process has started and ended, once for each time. */
  readonly started: readonly string[];
  readonly ended: readonly string[];
  /** Sessions that are active in the end. */
  readonly active: number;
  /** What the process was told as an error so far, by code, and how much the guard has rolled back. */
  readonly errors: readonly string[];
  readonly rolledBack: number;
}

const { directory, commits, latch } = JSON.parse(process.argv[2] ?? "") as Death;
if (latch !== undefined) configure({ guard: { latch } });
route("registry");
const recoveries: Recovery[] = [];
for (const number of commits) {
  const store = await openStore({ storeId: notebookOf(number), directory });
  const statuses = (): Statuses =>
    Object.fromEntries(tables(store).executionQueue.map(({ id, status }) => [id, status])) as Statuses;
  const found = statuses();
  const events: RecordedEvent[] = [];
  recordCommits(store, (committed) => {
    events.push(...committed);
    notice();
  });
  const runtime = new HtmlRuntime({ store, userId: "u1" });
  await runtime.start(store.storeId);
  const isOver = (status: string): boolean => ["completed", "failed", "cancelled"].includes(status);
  await until("the end of everything", () => Object.values(statuses()).every(isOver));
  const idsOf = (name: string): string[] =>
    events.filter((event) => event.name === name).map(({ args }) => String(args["queueId"]));
  const active = tables(store).runtimeSessions.filter(({ isActive }) => isActive).length;
  const [started, ended] = [idsOf("v1.ExecutionStarted"), idsOf("v1.ExecutionCompleted")];
  const errors = diagnostics.filter(({ level }) => level === "error").map(({ code }) => code);
  const rolledBack = bridge.status().guard?.latched.length ?? 0;
  recoveries.push({ found, left: statuses(), started, ended, active, errors, rolledBack });
  await runtime.stop();
  await closeStore(store);
}
console.log(JSON.stringify(recoveries));
