// Whether the last of many executions on one store are as fast as the first; what the store itself does is the floor's part.

import { run } from "./html.mjs";
import { median } from "./measure.mjs";
import { row } from "./table.mjs";

/** A LiveStore 0.3.1 store is at the end of its memory after some 2,000 executions. */
const EXECUTIONS = { quick: 20, full: 1500 };

/** Executions whose median stands for the beginning and the end. */
const ENDS = 100;

export const topic = "a long session on LiveStore 0.3.1";

export function measure({ quick }, progress) {
  const cells = quick ? EXECUTIONS.quick : EXECUTIONS.full;
  const ends = Math.min(ENDS, cells / 4);
  const rise = (mode, goal) => {
    progress(`long, ${mode}`);
    const { latencies } = run({ mode, shape: "single", cells, isOneCell: true, warmUp: 0, pauses: false, seed: 1 });
    const [first, last] = [latencies.slice(0, ends), latencies.slice(-ends)].map(median);
    const what = `${mode}, of ${cells} one at a time: p50 of the last ${ends} beside the first ${ends}`;
    return row({ what, ours: last, peer: first, unit: "ms", better: "less", goal });
  };
  return [rise("registry", { ratio: 1.2 }), rise("floor")];
}
