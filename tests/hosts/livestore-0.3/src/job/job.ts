/** The main job: runs notebooks side by side, and again whenever their routes change. */
import { bridge, type Comparison, type Diagnostic, shutdown } from "runtime-bridge";
import { newsText } from "./failure.js";
import { useFlagFile } from "./flagDocument.js";
import { NotebookHost } from "./notebookHost.js";
import type { Loaded } from "./notebooks.js";
import { exitStatusOf, reportOf, type JobReport } from "./report.js";
import { accountText, comparisonText, tableOf, totalsText } from "./table.js";
import type { Terminal } from "./terminal.js";

/** All notebooks share one thread, so more stores at once would cost 16 MiB each and gain nothing. */
const OPEN_AT_ONCE = 16;

export interface JobInput {
  readonly flagFile: string;
  readonly loaded: Loaded;
  readonly isJson: boolean;
  readonly isVerbose: boolean;
  readonly terminal: Terminal;
}

type Event = "flags" | "moved" | "interrupted";

export class Job {
  readonly #input: JobInput;
  readonly #hosts: readonly NotebookHost[];
  readonly #unlisten: (() => void)[];
  readonly #events = new Set<Event>();
  #wake: () => void = () => undefined;
  #isRunning = false;
  #milliseconds = 0;
  /** The generation told last. */
  #generation = bridge.status().flags.generation;

  private constructor(input: JobInput) {
    this.#input = input;
    this.#hosts = input.loaded.notebooks.map(
      (one) =>
        new NotebookHost(
          one,
          () => this.#showProgress(),
          () => this.#happened("moved"),
        ),
    );
    this.#unlisten = [
      bridge.on("diagnostic", (news) => this.#hear(news)),
      bridge.on("comparison", (news) => this.#compare(news)),
    ];
  }

  /** Puts the flags in force. Rejects with an `InputError` where the document cannot be used; nothing has run then. */
  static async open(input: JobInput): Promise<Job> {
    await useFlagFile(input.flagFile);
    return new Job(input);
  }

  /** Runs every notebook once; gives the exit status. */
  async once(): Promise<number> {
    await this.#run(this.#hosts, async (host) => {
      await host.run();
      await host.close();
    });
    const report = await this.#end();
    if (this.#input.isJson) {
      this.#input.terminal.print(JSON.stringify(report, null, 2));
    } else {
      this.#printTable(false);
      this.#printSkipped();
    }
    return exitStatusOf(report);
  }

  /** Runs every notebook, and those that move again, until it is interrupted; gives the exit status. */
  async watch(): Promise<number> {
    const { terminal, flagFile } = this.#input;
    // The bridge keeps no process alive, and neither does a signal handler.
    const alive = setInterval(() => undefined, 2 ** 30);
    await this.#run(this.#hosts, (host) => host.run());
    this.#printTable(true);
    this.#printSkipped();
    if (!this.#events.has("interrupted")) terminal.print(`\nwatching ${flagFile}: edit it to move notebooks; Ctrl-C ends`);
    while (!this.#events.has("interrupted")) {
      await this.#follow();
      await this.#anyEvent();
    }
    clearInterval(alive);
    await Promise.all(this.#hosts.map((host) => host.close()));
    const report = await this.#end();
    terminal.print(`\n${[accountText(report), ...comparisonText(report)].join("\n")}`);
    return exitStatusOf(report);
  }

  /** Ends a watch; executions that are under way end first. */
  interrupt(): void {
    const { requested, ended } = this.#progress();
    if (this.#isRunning) {
      this.#input.terminal.warn(`finishing what is under way: ${requested - ended}; Ctrl-C again ends at once`);
    }
    this.#happened("interrupted");
  }

  report(): JobReport {
    return reportOf({
      flagFile: this.#input.flagFile,
      generation: bridge.status().flags.generation,
      hosts: this.#hosts,
      skipped: this.#input.loaded.skipped,
      milliseconds: this.#milliseconds,
    });
  }

  /** Runs the notebooks again that have moved. */
  async #follow(): Promise<void> {
    const { terminal } = this.#input;
    const isNewDocument = this.#events.delete("flags");
    this.#events.delete("moved");
    const moved = this.#hosts.filter(({ movedFrom }) => movedFrom !== null);
    const { generation } = bridge.status().flags;
    if (moved.length === 0) {
      if (isNewDocument) terminal.print(`\nflags of generation ${generation}: no notebook moves`);
      return;
    }
    const routes = moved.map(({ loaded, lease }) => `${loaded.notebook.id} to ${lease?.path ?? "none"}`);
    terminal.print(`\nflags of generation ${generation}: ${routes.join(", ")}`);
    await this.#run(moved, (host) => host.run());
    this.#printTable(true);
  }

  async #run(hosts: readonly NotebookHost[], work: (host: NotebookHost) => Promise<void>): Promise<void> {
    const since_ms = performance.now();
    this.#isRunning = true;
    const waiting = [...hosts];
    const lane = async (): Promise<void> => {
      for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) await work(host);
    };
    await Promise.all(Array.from({ length: OPEN_AT_ONCE }, lane));
    this.#isRunning = false;
    this.#milliseconds += performance.now() - since_ms;
    this.#input.terminal.progress("");
  }

  async #end(): Promise<JobReport> {
    await shutdown();
    for (const unlisten of this.#unlisten) unlisten();
    return this.report();
  }

  #printTable(withRuns: boolean): void {
    const report = this.report();
    const { terminal } = this.#input;
    const texts = [totalsText(report), accountText(report), ...comparisonText(report)];
    terminal.print(`${tableOf(report, withRuns)}\n\n${texts.join("\n")}`);
  }

  #printSkipped(): void {
    const { terminal, loaded } = this.#input;
    for (const news of loaded.skipped) terminal.print(`\n${newsText("skipped", news)}`);
  }

  #progress(): { requested: number; ended: number } {
    const all = this.#hosts.map(({ progress }) => progress);
    return {
      requested: all.reduce((sum, { requested }) => sum + requested, 0),
      ended: all.reduce((sum, { ended }) => sum + ended, 0),
    };
  }

  #showProgress(): void {
    if (!this.#isRunning) return;
    const { requested, ended } = this.#progress();
    this.#input.terminal.progress(`running: ${ended} of ${requested} executions in ${this.#hosts.length} notebooks`);
  }

  #compare(news: Comparison): void {
    this.#hosts.find(({ loaded }) => loaded.notebook.id === news.notebook)?.compared.add(news);
  }

  /** A document that is in force again, or for the first time, may move notebooks; a refused one is only told. */
  #hear(news: Diagnostic): void {
    const { terminal, isVerbose, isJson } = this.#input;
    if (news.level !== "info") terminal.warn(newsText(news.level, news));
    else if (isVerbose && !isJson) terminal.warn(newsText(news.level, news));
    const { generation } = bridge.status().flags;
    if (news.code === "FLAGS_REJECTED" || news.code === "FLAGS_MISSING") {
      terminal.warn(`the flags of generation ${generation} stay in force`);
    }
    // The news of the very first document come after its generation was seen.
    if (news.code === "FLAGS_RESTORED" || generation !== this.#generation) this.#happened("flags");
    this.#generation = generation;
  }

  #happened(event: Event): void {
    this.#events.add(event);
    this.#wake();
  }

  /** The bridge tells of new flags just before it moves sessions: a microtask later it has done both. */
  async #anyEvent(): Promise<void> {
    if (this.#events.size > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
