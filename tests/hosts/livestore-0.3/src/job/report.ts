/** What the job tells in the end: the document that `--json` prints, from which the table is made too. */
import type { Decision } from "runtime-bridge";
import { sumOf, type Fault } from "./accounting.js";
import type { ComparisonCounts, MismatchReport } from "./comparisons.js";
import type { NotebookHost } from "./notebookHost.js";
import type { SkippedNotebook } from "./notebooks.js";

/** The document of `--json`. Keys are stable: they may be joined by others, they are never renamed. */
export interface JobReport {
  readonly flags: {
    /** The flag document, as it was named. */
    readonly file: string;
    /** Counts the documents that were in force. */
    readonly generation: number;
  };
  readonly notebooks: readonly NotebookReport[];
  /** Samples that cannot be read. */
  readonly skipped: readonly SkippedNotebook[];
  readonly totals: {
    readonly notebooks: number;
    readonly cells: number;
    readonly html: number;
    readonly executed: number;
    readonly outputs: number;
    /** Cells by the runtime type that they wait for. */
    readonly notYetRunnable: Readonly<Record<string, number>>;
    /** Spent on running notebooks, from opening their stores on; in all runs. */
    readonly milliseconds: number;
  };
  /** Every execution that was ever requested, in all runs. */
  readonly accounting: {
    readonly requested: number;
    readonly executedOnce: number;
    readonly lost: number;
    readonly doubled: number;
    readonly wrong: number;
    readonly faults: readonly (Fault & { readonly notebook: string })[];
  };
  /** What the comparisons of both paths have said, in all runs. */
  readonly comparison: ComparisonCounts & {
    /** How often each difference of the ledger of known differences was seen. */
    readonly knownDifferences: Readonly<Record<string, number>>;
    readonly mismatches: readonly (MismatchReport & { readonly notebook: string })[];
  };
  /** What kept a notebook from being run or closed in order. */
  readonly problems: readonly { readonly notebook: string; readonly message: string }[];
}

export interface NotebookReport {
  readonly notebook: string;
  readonly file: string;
  readonly title: string;
  /** Null where no session could be started. */
  readonly route: Decision["route"] | null;
  /** Why: `targeting`, `default`, `killed`, …; for a doubt, its name. */
  readonly reason: string | null;
  readonly variant: string | null;
  /** The path on which the last run began, where the notebook has moved since then; else null. */
  readonly movedFrom: "legacy" | "registry" | null;
  readonly cells: number;
  readonly html: number;
  /** In the last run: executed exactly once. */
  readonly executed: number;
  /** In the last run. */
  readonly outputs: number;
  /** In all runs; null where nothing was compared. */
  readonly comparison: ComparisonCounts | null;
  readonly notYetRunnable: Readonly<Record<string, number>>;
  /** How often its html cells have been requested. */
  readonly runs: number;
  /** Of the last run, from request to last end. Notebooks run side by side, so these do not add up. */
  readonly milliseconds: number | null;
}

export interface ReportInput {
  readonly flagFile: string;
  readonly generation: number;
  readonly hosts: readonly NotebookHost[];
  readonly skipped: readonly SkippedNotebook[];
  readonly milliseconds: number;
}

export const reportOf = ({ flagFile, generation, hosts, skipped, milliseconds }: ReportInput): JobReport => {
  const notebooks = hosts.map(notebookReportOf);
  const sum = (count: (notebook: NotebookReport) => number) => notebooks.reduce((total, one) => total + count(one), 0);
  return {
    flags: { file: flagFile, generation },
    notebooks,
    skipped,
    totals: {
      notebooks: notebooks.length,
      cells: sum(({ cells }) => cells),
      html: sum(({ html }) => html),
      executed: sum(({ executed }) => executed),
      outputs: sum(({ outputs }) => outputs),
      notYetRunnable: counted(notebooks.flatMap(({ notYetRunnable }) => Object.entries(notYetRunnable))),
      milliseconds: Math.round(milliseconds),
    },
    accounting: accountOf(hosts),
    comparison: comparisonOf(hosts),
    problems: hosts.flatMap((host) => host.problems.map((message) => ({ notebook: idOf(host), message }))),
  };
};

/** 1 where an execution was not executed exactly once, the paths differ, or a notebook could not be run in order. */
export const exitStatusOf = ({ accounting, comparison, problems }: JobReport): number => {
  const isClean = accounting.executedOnce === accounting.requested && accounting.faults.length === 0;
  return isClean && comparison.mismatch === 0 && problems.length === 0 ? 0 : 1;
};

const idOf = ({ loaded }: NotebookHost): string => loaded.notebook.id;

const accountOf = (hosts: readonly NotebookHost[]): JobReport["accounting"] => {
  const verdicts = hosts.map((host) => ({ notebook: idOf(host), verdict: host.verdict }));
  const { requested, executedOnce } = sumOf(verdicts.map(({ verdict }) => verdict));
  const faults = verdicts.flatMap(({ notebook, verdict }) => verdict.faults.map((fault) => ({ notebook, ...fault })));
  const of = (kind: Fault["kind"]) => faults.filter((fault) => fault.kind === kind).length;
  return { requested, executedOnce, lost: of("lost"), doubled: of("doubled"), wrong: of("wrong"), faults };
};

const comparisonOf = (hosts: readonly NotebookHost[]): JobReport["comparison"] => {
  const counts = hosts.map(({ compared }) => compared.counts);
  const sum = (count: (counts: ComparisonCounts) => number) =>
    counts.reduce((total, one) => total + (one === null ? 0 : count(one)), 0);
  return {
    match: sum(({ match }) => match),
    known: sum(({ known }) => known),
    noise: sum(({ noise }) => noise),
    mismatch: sum(({ mismatch }) => mismatch),
    inconclusive: sum(({ inconclusive }) => inconclusive),
    knownDifferences: counted(hosts.flatMap(({ compared }) => Object.entries(compared.knownDifferences))),
    mismatches: hosts.flatMap((host) => host.compared.mismatches.map((one) => ({ notebook: idOf(host), ...one }))),
  };
};

const notebookReportOf = (host: NotebookHost): NotebookReport => {
  const { notebook, file } = host.loaded;
  const { executedOnce, outputs } = host.lastRun;
  const decision = host.lease?.decision;
  // Markdown and raw cells run nowhere, so they wait for nothing.
  const waiting = notebook.cells.filter(({ html, cellType }) => !html && cellType !== "markdown" && cellType !== "raw");
  return {
    notebook: notebook.id,
    file,
    title: notebook.title,
    route: decision?.route ?? null,
    reason: decision === undefined ? null : reasonOf(decision),
    variant: decision?.variant ?? null,
    movedFrom: host.movedFrom,
    cells: notebook.cells.length,
    html: host.htmlCells,
    executed: executedOnce,
    outputs,
    comparison: host.compared.counts,
    notYetRunnable: counted(waiting.map(({ runtimeType }) => [runtimeType ?? "unnamed", 1])),
    runs: host.runs,
    milliseconds: host.milliseconds === null ? null : Math.round(host.milliseconds),
  };
};

const reasonOf = ({ reason }: Decision): string => {
  if (typeof reason === "string") return reason;
  return "doubt" in reason ? reason.doubt : `rolled-back: ${reason["rolled-back"]}`;
};

/** Adds up by name, names in alphabetical order. */
const counted = (counts: readonly (readonly [string, number])[]): Record<string, number> => {
  const sums = new Map<string, number>();
  for (const [name, count] of counts) sums.set(name, (sums.get(name) ?? 0) + count);
  return Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
};
