/**
 * Plays recorded traces through the package on real stores and writes what it saw, one JSON line a scenario.
 *
 * Usage: `node build/player/main.js FOLDER [--suites base,html] [--out FILE|-]`. It compares nothing. Exit code 2 and
 * no output where a trace cannot be played.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { checkStep } from "./operations/index.js";
import { type Played, Player } from "./player.js";
import { quietly } from "./quiet.js";
import { BrokenTrace, locate, readTraces, type Trace } from "./trace.js";

const USAGE = "usage: main.js FOLDER [--suites base,html] [--out FILE|-]";
const UNUSABLE_INPUT = 2;

class UsageError extends Error {
  readonly hint = USAGE;
}

const readOptions = () => {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { suites: { type: "string", default: "base,html" }, out: { type: "string", default: "-" } },
    });
    const [folder] = positionals;
    if (folder === undefined || positionals.length > 1) throw new TypeError("one folder is wanted");
    return { folder, suites: new Set(values.suites.split(",")), out: values.out };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
};

const playAll = async (traces: readonly Trace[]): Promise<Played[]> => {
  for (const { file, steps } of traces) steps.forEach((step, at) => locate(file, at, () => checkStep(step)));
  const played: Played[] = [];
  for (const trace of traces) played.push(await new Player().play(trace));
  return played;
};

const main = async (): Promise<void> => {
  const { folder, suites, out } = readOptions();
  const traces = await readTraces(folder, suites);
  if (traces.length === 0) throw new BrokenTrace(folder, undefined, "no trace of these suites", USAGE);
  const lines = (await quietly(() => playAll(traces))).map((played) => `${JSON.stringify(played)}\n`).join("");
  if (out === "-") process.stdout.write(lines);
  else await writeFile(out, lines);
};

try {
  await main();
} catch (error) {
  const isInput = error instanceof BrokenTrace || error instanceof UsageError;
  const text = isInput ? `${error.message}\nhint: ${error.hint}` : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${text}\n`);
  process.exitCode = isInput ? UNUSABLE_INPUT : 1;
}
