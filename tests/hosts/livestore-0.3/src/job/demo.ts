/** `npm start -- --demo`: a rollout in half a minute. A ramp under load, a fault, the guard's rollback, and the account of it all. */
import { bridge, type Comparison, configure, type Rollback, shutdown } from "runtime-bridge";
import { seedCandidateFault } from "runtime-bridge/testing";
import type { ImportedCell } from "../ipynb.js";
import { sumOf } from "./accounting.js";
import { NotebookHost } from "./notebookHost.js";
import type { LoadedNotebook } from "./notebooks.js";
import type { Terminal } from "./terminal.js";

/** A quarter of them is enough to roll back everywhere, also behind a longer time in which nothing differed. */
const NOTEBOOKS = 36;
const CELLS_A_NOTEBOOK = 3;

/** Between two runs of a notebook: all of them share this thread with the clock that ends the stages. */
const PAUSE_MS = 450;

/** Stages of the ramp, in percent. */
const RAMP = [10, 25] as const;

/** A notebook rolls back with its second mismatch; this is far beyond what a loaded machine takes. */
const ROLLBACK_DEADLINE_MS = 30_000;

const FAULT = "changed-character";

export interface DemoInput {
  readonly terminal: Terminal;
  /** How long each stage lasts. */
  readonly stage_ms: number;
}

export class Demo {
  readonly #terminal: Terminal;
  readonly #stage_ms: number;
  readonly #since_ms = performance.now();
  readonly #hosts: readonly NotebookHost[];
  #compared = 0;
  #mismatched = 0;
  #isOver = false;

  constructor({ terminal, stage_ms }: DemoInput) {
    this.#terminal = terminal;
    this.#stage_ms = stage_ms;
    const nothing = () => undefined;
    this.#hosts = Array.from({ length: NOTEBOOKS }, (_, index) => new NotebookHost(notebook(index + 1), nothing, nothing));
  }

  /** Gives the exit status: 0 where the guard has rolled back and every execution ran exactly once. */
  async run(): Promise<number> {
    // Nothing in the bridge keeps a process alive.
    const alive = setInterval(() => undefined, 2 ** 30);
    const ends = [
      bridge.on("comparison", (news) => this.#compare(news)),
      bridge.on("diagnostic", () => undefined),
    ];
    configure({ flags: documentFor(0), guard: {} });
    const load = Promise.all(this.#hosts.map((host) => this.#keepRunning(host)));
    this.#say(`${NOTEBOOKS} notebooks run on the old path, again and again`);
    await this.#stage();
    for (const percent of RAMP) await this.#raise(percent);
    const isRolledBack = await this.#breakCandidate();
    await this.#pushAgain();
    this.#isOver = true;
    await load;
    await Promise.all(this.#hosts.map((host) => host.close()));
    seedCandidateFault(null);
    await shutdown();
    clearInterval(alive);
    for (const end of ends) end();
    return this.#account() && isRolledBack ? 0 : 1;
  }

  async #keepRunning(host: NotebookHost): Promise<void> {
    while (!this.#isOver && host.problems.length === 0) {
      await host.run();
      await elapsed(PAUSE_MS);
    }
  }

  async #raise(percent: number): Promise<void> {
    configure({ flags: documentFor(percent) });
    const moved = this.#hosts.filter(({ loaded }) => bridge.route(loaded.notebook.id).route === "live");
    this.#say(`${percent} %: the registry serves ${moved.length} of them, and the old path is run beside it`);
    await this.#stage();
    this.#say(`  ${this.#compared} executions compared, ${this.#mismatched} differ`);
  }

  async #breakCandidate(): Promise<boolean> {
    let stop = (): unknown => undefined;
    const everyone = new Promise<boolean>((resolve) => {
      stop = bridge.on("rollback", (news) => {
        this.#say(`  the guard rolls back ${scopeText(news)}: ${news.grounds}`);
        if (this.#onTheOldPath() === NOTEBOOKS) resolve(true);
      });
    });
    this.#say(`a fault is seeded into the path that is compared: ${FAULT}`);
    seedCandidateFault(FAULT);
    const isRolledBack = await Promise.race([everyone, elapsed(ROLLBACK_DEADLINE_MS).then(() => false)]);
    stop();
    if (!isRolledBack) this.#say(`  not all are rolled back within ${ROLLBACK_DEADLINE_MS / 1000} s`);
    return isRolledBack;
  }

  /** The latch wins over a source that keeps pushing. */
  async #pushAgain(): Promise<void> {
    configure({ flags: documentFor(RAMP[1]) });
    this.#say(`the document with ${RAMP[1]} % is put in force again: ${this.#onTheOldPath()} of ${NOTEBOOKS} stay on the old path`);
    await this.#stage();
  }

  #onTheOldPath(): number {
    return this.#hosts.filter(({ loaded }) => bridge.route(loaded.notebook.id).route === "legacy").length;
  }

  #compare({ notebook, executions }: Comparison): void {
    this.#compared += executions.length;
    for (const execution of executions) {
      if (execution.verdict !== "mismatch") continue;
      this.#mismatched += 1;
      const [difference] = execution.differences;
      if (this.#mismatched > 1 || difference === undefined) continue;
      const { path, legacy, registry } = difference;
      this.#say(`  mismatch in notebook ${notebook}, execution ${execution.queueId}, at ${path}`);
      this.#say(`    old path  ${JSON.stringify(legacy)}`);
      this.#say(`    registry  ${JSON.stringify(registry)}`);
    }
  }

  #account(): boolean {
    const { requested, executedOnce, faults } = sumOf(this.#hosts.map(({ verdict }) => verdict));
    const of = (kind: string) => faults.filter((fault) => fault.kind === kind).length;
    this.#say(`${requested} requested, ${executedOnce} executed exactly once, ${of("lost")} lost, ${of("doubled")} doubled`);
    const problems = this.#hosts.flatMap((host) => host.problems);
    for (const problem of problems) this.#terminal.warn(`failed: ${problem}`);
    for (const { queueId, reason } of faults) this.#terminal.warn(`failed: execution ${queueId}: ${reason}`);
    return executedOnce === requested && faults.length === 0 && problems.length === 0;
  }

  #stage(): Promise<void> {
    return elapsed(this.#stage_ms);
  }

  #say(text: string): void {
    const seconds = ((performance.now() - this.#since_ms) / 1000).toFixed(1);
    this.#terminal.print(`${seconds.padStart(5)} s  ${text}`);
  }
}

const elapsed = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const scopeText = ({ scope }: Rollback): string => (scope === "everywhere" ? "everywhere" : `notebook ${scope.notebook}`);

/** The share of notebooks that the registry serves while the old path is compared with it. */
const documentFor = (percent: number): { flags: object } => ({
  flags: {
    "runtime-route": {
      state: "ENABLED",
      variants: { live: "live", legacy: "legacy" },
      defaultVariant: "legacy",
      targeting: { fractional: [["live", percent], ["legacy", 100 - percent]] },
      metadata: { boundary: "drain" },
    },
  },
});

const notebook = (number: number): LoadedNotebook => {
  const id = `demo-${String(number).padStart(2, "0")}`;
  const cells = Array.from({ length: CELLS_A_NOTEBOOK }, (_, index): ImportedCell => ({
    id: `cell-${index + 1}`,
    cellType: "code",
    source: `<p>${id}, cell ${index + 1}</p>`,
    html: true,
    runtimeType: "html",
  }));
  return { file: "", notebook: { id, title: id, language: null, cells } };
};
