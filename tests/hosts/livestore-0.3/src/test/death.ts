/** How a process is to be killed, and where it leaves its notebooks. */
import { cellIds } from "./bound.js";

/** What a dying process is told to do. */
export interface Death {
  readonly directory: string;
  readonly path: "legacy" | "registry" | "flip";
  readonly mode: "exact" | "at-once";
  /** For each notebook, how many commits of its runtime are made. */
  readonly commits: readonly number[];
}

/** The cells of each notebook; `qX` is the entry that executes cell `X`. */
export const CELLS = cellIds(2);

/** The notebook whose runtime makes so many commits. */
export const notebookOf = (commits: number): string => `dying-${commits}`;

/** Where a process killed at once notes the executions whose code it has entered. */
export const enteredFile = (directory: string): string => `${directory}/entered`;
