/** What the comparisons of both paths have said of one notebook. */
import type { Comparison, Verdict } from "runtime-bridge";

/** A place in which the paths differ and should not. */
export interface MismatchReport {
  /** The execution, or none where their order differs. */
  readonly queueId: string | null;
  readonly path: string;
  /** What each path has there, as JSON; null where it has nothing. */
  readonly legacy: string | null;
  readonly registry: string | null;
}

/** Executions by verdict. */
export interface ComparisonCounts {
  readonly match: number;
  readonly known: number;
  readonly noise: number;
  readonly mismatch: number;
  readonly inconclusive: number;
}

/** Enough to see what is wrong. */
const KEPT_MISMATCHES = 20;

/** Characters of a value that are told. */
const SHOWN_CHARACTERS = 200;

export class Comparisons {
  readonly #counts = { match: 0, known: 0, noise: 0, mismatch: 0, inconclusive: 0 };
  readonly #knownDifferences = new Map<string, number>();
  readonly mismatches: MismatchReport[] = [];

  add({ executions, order }: Comparison): void {
    for (const execution of executions) {
      this.#counts[execution.verdict] += 1;
      this.#note(execution.queueId, execution);
    }
    if (order.verdict === "mismatch") this.#counts.mismatch += 1;
    this.#note(null, order);
  }

  /** Null where nothing was compared. */
  get counts(): ComparisonCounts | null {
    const { match, known, noise, mismatch, inconclusive } = this.#counts;
    return match + known + noise + mismatch + inconclusive === 0 ? null : { ...this.#counts };
  }

  /** How often each known difference was seen, in alphabetical order. */
  get knownDifferences(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#knownDifferences].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #note(queueId: string | null, verdict: Verdict): void {
    if (verdict.verdict === "known") {
      for (const name of verdict.names) this.#knownDifferences.set(name, (this.#knownDifferences.get(name) ?? 0) + 1);
    }
    if (verdict.verdict !== "mismatch") return;
    for (const { path, legacy, registry } of verdict.differences) {
      if (this.mismatches.length === KEPT_MISMATCHES) return;
      this.mismatches.push({ queueId, path, legacy: shown(legacy), registry: shown(registry) });
    }
  }
}

const shown = (value: unknown): string | null =>
  value === undefined ? null : JSON.stringify(value).slice(0, SHOWN_CHARACTERS);
