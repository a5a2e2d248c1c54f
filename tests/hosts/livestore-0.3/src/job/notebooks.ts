/** The notebooks of a run: those the user names, or the samples of the repository. */
import { readdirSync } from "node:fs";
import { isAbsolute, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { NotebookError, readNotebook, type ImportedCell, type ImportedNotebook } from "../ipynb.js";
import { InputError, type News } from "./failure.js";

const SAMPLES = fileURLToPath(new URL("../../../../notebooks/", import.meta.url));

/**
 * Stores stay open while the job watches, at 16 MiB of memory each: past this many, a gigabyte is spent on notebooks that
 * nobody can follow in one table.
 */
export const WATCHED_NOTEBOOKS_LIMIT = 64;

/** The most that was seen to pass through a LiveStore 0.3.1 store, in all its copies: more kills it, within 16 MiB. */
const CELL_BYTES_LIMIT = 500_000;
const NOTEBOOK_BYTES_LIMIT = 1_000_000;

export interface LoadedNotebook {
  readonly file: string;
  readonly notebook: ImportedNotebook;
}

export interface SkippedNotebook extends News {
  readonly file: string;
}

export interface Loaded {
  readonly notebooks: readonly LoadedNotebook[];
  /** Samples that cannot be read: one of them is there to show how that looks. */
  readonly skipped: readonly SkippedNotebook[];
}

/** A path as the user would write it: relative to the current directory where it lies within. */
export const shownPath = (file: string): string => {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") || isAbsolute(path) ? file : path;
};

/** What the source of a cell takes in a store. */
export const sourceBytes = ({ source }: ImportedCell): number => Buffer.byteLength(source);

/** Reads the notebooks. One that the user named and that cannot be read is an `InputError`; a sample is skipped. */
export const loadNotebooks = (named: readonly string[]): Promise<Loaded> =>
  named.length > 0 ? loadNamed(named) : loadSamples();

const loadNamed = async (files: readonly string[]): Promise<Loaded> => {
  const notebooks: LoadedNotebook[] = [];
  const fileOf = new Map<string, string>();
  for (const file of files) {
    const loaded = await load(file);
    if ("code" in loaded) throw new InputError(loaded.code, loaded.message, loaded.help);
    const { id } = loaded.notebook;
    const other = fileOf.get(id);
    if (other !== undefined) {
      const help = "an id comes from the file's name: rename one file, or name it once";
      throw new InputError("DUPLICATE_NOTEBOOK", `${file}: has the same notebook id as ${other}: \`${id}\``, help);
    }
    fileOf.set(id, file);
    notebooks.push(loaded);
  }
  return { notebooks, skipped: [] };
};

const loadSamples = async (): Promise<Loaded> => {
  const names = readdirSync(SAMPLES).filter((name) => name.endsWith(".ipynb"));
  const loaded = await Promise.all(names.sort().map((name) => load(shownPath(SAMPLES + name))));
  return {
    notebooks: loaded.filter((one): one is LoadedNotebook => "notebook" in one),
    skipped: loaded.filter((one): one is SkippedNotebook => "code" in one),
  };
};

const load = async (file: string): Promise<LoadedNotebook | SkippedNotebook> => {
  try {
    const notebook = await readNotebook(file);
    return tooLarge(file, notebook) ?? { file, notebook };
  } catch (error) {
    if (!(error instanceof NotebookError)) throw error;
    return { file, code: error.code, message: error.message, help: error.help };
  }
};

const tooLarge = (file: string, { cells }: ImportedNotebook): SkippedNotebook | undefined => {
  const code = "NOTEBOOK_TOO_LARGE";
  const index = cells.findIndex((cell) => sourceBytes(cell) > CELL_BYTES_LIMIT);
  const cell = cells[index];
  if (cell !== undefined) {
    const place = `${file}: $.cells[${index}].source, cell \`${cell.id}\``;
    const message = `${place}: the store takes at most ${CELL_BYTES_LIMIT} bytes, found \`${sourceBytes(cell)}\``;
    return { file, code, message, help: "split the cell" };
  }
  const bytes = cells.reduce((sum, one) => sum + sourceBytes(one), 0);
  if (bytes <= NOTEBOOK_BYTES_LIMIT) return undefined;
  const message = `${file}: $.cells: the store takes at most ${NOTEBOOK_BYTES_LIMIT} bytes of source, found \`${bytes}\``;
  return { file, code, message, help: "split the notebook" };
};
