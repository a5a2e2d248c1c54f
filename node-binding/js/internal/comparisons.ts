import type { Notebook } from "./notebook";

/** A comparison takes milliseconds; a shadow that is wedged must not hold up a host that ends. */
const PATIENCE_MS = 30_000;

/** Comparisons under way, by notebook: a notebook is kept while one of its own is. */
const underWay = new Map<Notebook, number>();
let waiting: (() => void)[] = [];

/** A comparison of this notebook has begun. */
export function comparisonBegan(notebook: Notebook): void {
  count(notebook, 1);
}

/** A comparison of this notebook has ended. The shadow may be faster than the effects that are still to be performed here. */
export function comparisonEnded(notebook: Notebook): void {
  count(notebook, -1);
}

function count(notebook: Notebook, change: 1 | -1): void {
  const now = (underWay.get(notebook) ?? 0) + change;
  if (now !== 0) underWay.set(notebook, now);
  else underWay.delete(notebook);
  if (underWay.size > 0) return;
  for (const settled of waiting) settled();
  waiting = [];
}

/** Resolves once no comparison is under way, or after half a minute. */
export async function comparisonsSettled(): Promise<void> {
  if (underWay.size === 0) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MS);
    waiting.push(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
