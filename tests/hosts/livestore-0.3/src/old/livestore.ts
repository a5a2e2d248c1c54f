/** The events and tables that the old runtime layer works on. */
import { tables } from "../schema.js";

export { events } from "../events.js";
export { tables };

/** A row of a table. */
export type RowOf<Name extends keyof typeof tables> = (typeof tables)[Name]["rowSchema"]["Type"];
