/**
 * A process that is killed in the middle of its work, as by `kill -9`.
 *
 * `exact`: each of its notebooks has exactly so many of its commits on disk as its number says, and what came after them is
 * lost, which is what a kill leaves that comes some milliseconds after a commit. `at-once`: the process is killed within the
 * commit of that number; what of it is on disk is LiveStore's affair.
 */
import { appendFileSync } from "node:fs";
import { recordCommits } from "../eventRecorder.js";
import { HtmlRuntime } from "../runtimes.js";
import { commit, drain, openStore, type Store } from "../store.js";
import { notice, route, until } from "./bound.js";
import { CELLS, type Death, enteredFile, notebookOf } from "./death.js";

const die = (): void => void process.kill(process.pid, "SIGKILL");

class Dying {
  isCut = false;
  hasStarted = false;

  constructor(
    readonly store: Store,
    readonly death: Death,
    commits: number,
  ) {
    let made = 0;
    recordCommits(store, (events) => {
      const started = events.filter(({ name }) => name === "v1.ExecutionStarted");
      this.hasStarted ||= started.length > 0;
      for (const { args } of started) appendFileSync(enteredFile(death.directory), `${String(args["queueId"])}\n`);
    });
    const performed = store.commit as (...args: unknown[]) => unknown;
    store.commit = ((...args: unknown[]) => {
      if (made >= commits) return undefined;
      const result = performed(...args);
      made += 1;
      if (made === commits) this.#cut();
      notice();
      return result;
    }) as Store["commit"];
    if (commits === 0) this.#cut();
  }

  #cut(): void {
    this.isCut = true;
    if (this.death.mode === "at-once") die();
  }

  static async open(death: Death, commits: number): Promise<Dying> {
    const store = await openStore({ storeId: notebookOf(commits), directory: death.directory });
    for (const id of CELLS) {
      commit(
        store,
        { name: "v2.CellCreated", args: { id, cellType: "code", fractionalIndex: "a0", createdBy: "u1" } },
        { name: "v1.CellSourceChanged", args: { id, source: `<p>${id}</p>`, modifiedBy: "u1" } },
        { name: "v1.ExecutionRequested", args: { queueId: `q${id}`, cellId: id, executionCount: 1, requestedBy: "u1" } },
      );
    }
    await drain(store);
    const dying = new Dying(store, death, commits);
    const runtime = new HtmlRuntime({ store, userId: "u1" });
    // A session whose commits are lost may fail or never begin: it is about to die either way.
    runtime.start(store.storeId).catch(() => undefined);
    return dying;
  }
}

/** No commit is missing to what the process still does: the old path looks at its queue every 50 ms. */
const QUIET_MS = 400;

const death = JSON.parse(process.argv[2] ?? "") as Death;
route(death.path === "registry" ? "registry" : "legacy");
const dying: Dying[] = [];
for (const commits of death.commits) dying.push(await Dying.open(death, commits));
if (death.path === "flip") {
  await until("a start", () => dying.every(({ isCut, hasStarted }) => isCut || hasStarted));
  route("registry");
}
const whole = dying.filter(({ isCut }) => !isCut);
let last = performance.now();
for (const { store } of whole) recordCommits(store, () => (last = performance.now()));
const look = setInterval(() => {
  if (dying.every(({ isCut }) => isCut) || performance.now() - last > QUIET_MS) {
    clearInterval(look);
    void Promise.all(dying.map(({ store }) => drain(store))).then(die);
  }
}, 20);
