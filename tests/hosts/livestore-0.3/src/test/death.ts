/** How a process is to be killed, and where it leaves its notebooks. */
import { cellIds } from "./bound.js";

/** What a dying process is told to do. */
export interface Death {
  readonly directory: string;
  readonly path: "legacy" | "registry" | "flip";
  readonly mode: "exact" | "at-once";
  /** For each notebook, how many commits of its runtime are made. */
  readonly commits: readonly number[];
  /** Where the guard keeps its state, if anywhere. */
  readonly latch?: string;
}

/** How something is to end in the middle of a drain. */
export interface EndedDrain {
  readonly directory: string;
  readonly latch: string;
  /** The file with the flags. */
  readonly flags: string;
  /** The route that it moves away from, and where candidates run. */
  readonly from: "legacy" | "shadow" | "separate";
  /** While it waits for what has been started, or in the commit that announces the new session. */
  readonly at: "waiting" | "announcing";
  /** By `process.exit`, or by somebody else. */
  readonly by: "itself" | "others";
  /** What takes the notebook over: another process, or another worker of the same process. */
  readonly next: "process" | "worker";
}

/** The cells of each notebook; `qX` is the entry that executes cell `X`. */
export const CELLS = cellIds(2);

/** The cells of a notebook that ends in the middle of a drain: one is done, one is started, one is claimed, one waits. */
export const DRAINED_CELLS = cellIds(4);

/** The notebook whose runtime makes so many commits. */
export const notebookOf = (commits: number): string => `dying-${commits}`;

/** Where a process killed at once notes the executions whose code it has entered. */
export const enteredFile = (directory: string): string => `${directory}/entered`;
