/** The report as text for people, at most 120 columns wide. */
import type { JobReport, NotebookReport } from "./report.js";

/** Longer ids are cut, so that all columns fit into 120. */
const NOTEBOOK_WIDTH = 23;

/** One bad store can make thousands; the JSON document has them all. */
const SHOWN_FAULTS_LIMIT = 20;

interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  readonly text: (notebook: NotebookReport) => string;
}

const NOTEBOOK: Column = { title: "notebook", align: "left", text: ({ notebook }) => cut(notebook) };
const ROUTE: Column = {
  title: "route and why",
  align: "left",
  text: ({ route, reason, movedFrom }) => {
    const from = movedFrom === null ? "" : `${movedFrom} > `;
    return route === null ? "none" : `${from}${route} (${reason})`;
  },
};

const right = (title: string, count: (notebook: NotebookReport) => number | null): Column => ({
  title,
  align: "right",
  text: (notebook) => String(count(notebook) ?? "-"),
});

const COMPARED: Column = {
  title: "match/known/mismatch",
  align: "right",
  text: ({ comparison }) =>
    comparison === null ? "-" : `${comparison.match}/${comparison.known}/${comparison.mismatch}`,
};

const COLUMNS: readonly Column[] = [
  NOTEBOOK,
  ROUTE,
  right("cells", ({ cells }) => cells),
  right("html", ({ html }) => html),
  right("executed", ({ executed }) => executed),
  COMPARED,
  right("not yet", ({ notYetRunnable }) => total(notYetRunnable)),
  right("ms", ({ milliseconds }) => milliseconds),
];

const RUNS = right("runs", ({ runs }) => runs);

/** The table, a line a notebook; `withRuns` adds how often each has run. */
export const tableOf = ({ notebooks }: JobReport, withRuns: boolean): string => {
  const columns = withRuns ? [...COLUMNS, RUNS] : COLUMNS;
  const rows = [columns.map(({ title }) => title), ...notebooks.map((one) => columns.map(({ text }) => text(one)))];
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    columns
      .map(({ align }, index) => {
        const [cell = "", width = 0] = [row[index], widths[index]];
        return align === "left" ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
};

/** What there is in all. */
export const totalsText = ({ totals }: JobReport): string =>
  `${plural(totals.notebooks, "notebook")}, ${plural(totals.cells, "cell")}: ${totals.html} html` +
  `${notYet(totals.notYetRunnable)}; ${(totals.milliseconds / 1000).toFixed(1)} s`;

/** Whether everything ran exactly once, and whatever did not. */
export const accountText = ({ accounting, problems }: JobReport): string => {
  const { requested, executedOnce, lost, doubled, wrong, faults } = accounting;
  const hidden = faults.length - SHOWN_FAULTS_LIMIT;
  return [
    `${requested} requested, ${executedOnce} executed exactly once, ${lost} lost, ${doubled} doubled` +
      (wrong === 0 ? "" : `, ${wrong} wrong`),
    ...faults.slice(0, SHOWN_FAULTS_LIMIT).map(faultText),
    ...(hidden > 0 ? [`and ${hidden} more; --json prints all`] : []),
    ...problems.map(({ notebook, message }) => `failed: notebook ${notebook}: ${message}`),
  ].join("\n");
};

/** What the comparisons have said; nothing where none was made. */
export const comparisonText = ({ comparison }: JobReport): string[] => {
  const { match, known, mismatch, inconclusive, knownDifferences, mismatches } = comparison;
  if (match + known + mismatch + inconclusive === 0) return [];
  const names = Object.entries(knownDifferences).map(([name, count]) => `${count} ${name}`);
  const hidden = mismatches.length - SHOWN_FAULTS_LIMIT;
  return [
    `${match + known + mismatch} compared: ${match} match, ${known} known, ${mismatch} mismatch` +
      (inconclusive === 0 ? "" : `; ${inconclusive} inconclusive`),
    ...(names.length === 0 ? [] : [`known differences: ${names.join(", ")}`]),
    ...mismatches.slice(0, SHOWN_FAULTS_LIMIT).map(mismatchText),
    ...(hidden > 0 ? [`and ${hidden} more; --json prints all`] : []),
  ];
};

const mismatchText = ({ notebook, queueId, path, legacy, registry }: JobReport["comparison"]["mismatches"][number]) =>
  `mismatch: notebook ${notebook}${queueId === null ? "" : `, execution ${queueId}`}: ${path}: ` +
  `legacy ${legacy ?? "nothing"}, registry ${registry ?? "nothing"}`;

const faultText = ({ kind, notebook, queueId, cellId, reason }: JobReport["accounting"]["faults"][number]): string => {
  const cell = cellId === "" ? "" : `, cell ${cellId}`;
  const execution = queueId === "" ? "" : `, execution ${queueId}`;
  return `${kind}: notebook ${notebook}${cell}${execution}: ${reason}`;
};

const notYet = (counts: Readonly<Record<string, number>>): string => {
  const names = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return names.length === 0 ? "" : `, ${total(counts)} not yet runnable (${names.join(", ")})`;
};

const total = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

const cut = (text: string): string => (text.length <= NOTEBOOK_WIDTH ? text : `${text.slice(0, NOTEBOOK_WIDTH - 1)}…`);
