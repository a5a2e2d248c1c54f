// Whether a process has held more and more of the machine, by the samples taken of it.
//
// Samples taken while a second environment is there are left out: it takes a hundred megabytes, and gives them back. The time after
// the warm-up is cut into quarters, and the first is compared with the last. Of each quarter the lower quartile counts: what is
// in use comes and goes (a notebook, what the collector has not come to), and now and then a sample finds little of it, while what
// has leaked is in every sample. A second run is not needed to know what is innocent: growth
// is divided by the executions that lie between, and caches, arenas and tables that have a bound grow with none of them.

/** What a soak has to find: so many bytes that every execution leaves behind. */
export const LEAK_BYTES = 1024;

/** Half of it: a leak lies as far above as an innocent process below. */
const TOLERATED_BYTES = LEAK_BYTES / 2;

/** Threads, files and notebooks come by the hundred where they leak: one for each notebook or environment that was closed. */
const TOLERATED_COUNT = 2;

/** Of 256 comparisons that may wait. */
const TOLERATED_WAITING = 16;

/** The share of the samples in which caches fill and the allocator finds its size. */
const WARM_UP = 1 / 6;

/** A quarter's blocks: by how much they differ is by how much a quarter may be off. */
const BLOCKS = 3;

/** Samples of a block without which its quartile says nothing. */
const LEAST_SAMPLES = 8;

const MEASURES = [
  { name: "resident memory", of: ({ rss }) => rss, isBytes: true },
  { name: "JavaScript heap", of: ({ heapUsed }) => heapUsed, isBytes: true },
  { name: "memory outside the heap", of: ({ external }) => external, isBytes: true },
  { name: "threads", of: ({ threads }) => threads },
  { name: "open files", of: ({ files }) => files },
  { name: "open notebooks", of: ({ notebooks }) => notebooks },
  { name: "comparisons that wait", of: ({ waiting }) => waiting, tolerated: TOLERATED_WAITING },
  { name: "bytes that wait with them", of: ({ waitingBytes }) => waitingBytes, isBytes: true },
  { name: "threads away in a candidate", of: ({ wedged }) => wedged },
];

/**
 * A row for each measure: where it stood in the first quarter and in the last, and whether it has leaked. `isLeak` is null where
 * the run cannot tell: it has too few samples, or what is tolerated is less than the measure drifts within a quarter.
 */
export function judge(samples) {
  const alone = samples.filter(({ environments }) => environments === 0);
  const soaked = alone.slice(Math.ceil(alone.length * WARM_UP));
  const quarter = Math.floor(soaked.length / 4);
  const [first, last] = [soaked.slice(0, quarter), soaked.slice(soaked.length - quarter)];
  const executions = middle(last) - middle(first);
  return MEASURES.map((measure) => ({ name: measure.name, isBytes: measure.isBytes === true, ...compared(measure, first, last, executions) }));
}

function compared({ of, isBytes, tolerated: count = TOLERATED_COUNT }, first, last, executions) {
  const tolerated = isBytes ? TOLERATED_BYTES * executions : count;
  const [before, after] = [first, last].map((samples) => quartile(samples.map(of)));
  const drift = Math.max(...[first, last].map((samples) => driftOf(samples.map(of))));
  return { before, after, tolerated, isLeak: first.length < LEAST_SAMPLES * BLOCKS ? null : isLeak(after - before, drift, tolerated) };
}

function isLeak(growth, drift, tolerated) {
  if (growth <= tolerated) return drift <= tolerated ? false : null;
  return growth > drift ? true : null;
}

/** How far the blocks of a quarter lie apart. A leak moves them too, by far less than from the first quarter to the last. */
function driftOf(values) {
  const size = Math.floor(values.length / BLOCKS);
  const blocks = Array.from({ length: BLOCKS }, (_, n) => quartile(values.slice(n * size, (n + 1) * size)));
  return Math.max(...blocks) - Math.min(...blocks);
}

function quartile(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 4)];
}

function middle(samples) {
  return samples[Math.floor(samples.length / 2)]?.executions ?? 0;
}

/** The rows as a table for a terminal. */
export function asText(rows) {
  const lines = [["", "first quarter", "last quarter", "grown by", "tolerated", ""], ...rows.map(cells)];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines.map((line) => line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("  ").trimEnd()).join("\n");
}

function cells({ name, isBytes, before, after, tolerated, isLeak }) {
  const amount = (value) => (isBytes ? `${(value / 1024 / 1024).toFixed(2)} MiB` : String(value));
  return [name, amount(before), amount(after), amount(after - before), amount(tolerated), { true: "LEAK", false: "", null: "cannot tell" }[isLeak]];
}
