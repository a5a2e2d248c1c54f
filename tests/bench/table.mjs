// Rows of results, and how they are shown.

/**
 * One comparison: `ours` and `peer` in `unit`, of which `better` is `more` or `less`; `peer` is null where nothing compares.
 * `goal` is `{ ratio }` (ours to peer) or `{ value }`, a bound on the side that `better` says.
 */
export function row({ what, ours, peer = null, unit, better, goal = null }) {
  const ratio = peer === null ? null : ours / peer;
  return { what, ours, peer, unit, ratio, goal: goalText(goal, unit, better), met: isMet({ ours, ratio, better, goal }) };
}

function isMet({ ours, ratio, better, goal }) {
  if (goal === null) return null;
  const [reached, bound] = goal.ratio === undefined ? [ours, goal.value] : [ratio, goal.ratio];
  return better === "more" ? reached >= bound : reached <= bound;
}

function goalText(goal, unit, better) {
  if (goal === null) return null;
  const sign = better === "more" ? ">=" : "<=";
  return goal.ratio === undefined ? `${sign} ${goal.value} ${unit}` : `${sign} ${goal.ratio} x`;
}

const HEADERS = ["what", "ours", "peer", "ratio", "goal", "met"];

/** A topic's rows as a table for a terminal. */
export function asText(topic, rows) {
  const lines = [HEADERS, ...rows.map(cells)];
  const widths = HEADERS.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const shown = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
  return [topic, ...shown].join("\n");
}

/** A topic's rows as a table of Markdown. */
export function asMarkdown(topic, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [`**${topic}**`, "", line(HEADERS), line(HEADERS.map(() => "---")), ...rows.map((one) => line(cells(one)))].join("\n");
}

function cells({ what, ours, peer, unit, ratio, goal, met }) {
  const amount = (value) => (value === null ? "none" : `${digits(value)} ${unit}`);
  return [what, amount(ours), amount(peer), ratio === null ? "" : `${digits(ratio)} x`, goal ?? "", met === null ? "" : met ? "yes" : "no"];
}

/** Three digits that count; more would be noise. */
export function digits(value) {
  if (value === 0) return "0";
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** Whether every number of a row is one. */
export function isWhole({ ours, peer, ratio }) {
  return [ours, peer ?? 0, ratio ?? 0].every((value) => typeof value === "number" && Number.isFinite(value));
}
