/**
 * Reads Jupyter notebooks (nbformat 4) into the cells of the notebook product.
 *
 * Outputs, attachments and widget state are not imported. A cell is never left out: what cannot be imported as it
 * stands is an error that names the file and the place.
 */
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { JsonSyntaxError, parseJson, placeOf, type JsonNode, type Place } from "./json.js";

export type CellType = "code" | "markdown" | "raw" | "sql" | "ai";

export interface ImportedCell {
  readonly id: string;
  readonly cellType: CellType;
  /** `html`, `javascript`, `python`, … in lower case; null where nothing runs, or the language is not named. */
  readonly runtimeType: string | null;
  readonly source: string;
  /** Runs on the html runtime. All other code cells are kept, and not yet runnable. */
  readonly html: boolean;
}

export interface ImportedNotebook {
  /** From the file's name, and fit to be a LiveStore store id. */
  readonly id: string;
  readonly title: string;
  /** The kernel's language in lower case; null where the notebook names none. */
  readonly language: string | null;
  readonly cells: readonly ImportedCell[];
}

export type NotebookErrorCode =
  | "NOTEBOOK_NOT_FOUND"
  | "NOTEBOOK_IS_DIRECTORY"
  | "NOTEBOOK_UNREADABLE"
  | "NOTEBOOK_NOT_UTF8"
  | "NOTEBOOK_INVALID_JSON"
  | "NOTEBOOK_UNSUPPORTED_FORMAT"
  | "NOTEBOOK_MISSING_FIELD"
  | "NOTEBOOK_WRONG_TYPE"
  | "NOTEBOOK_UNKNOWN_CELL_TYPE"
  | "NOTEBOOK_DUPLICATE_CELL_ID";

/** Why a notebook cannot be imported: `message` names the file and the place, `help` says what to do. */
export class NotebookError extends Error {
  override readonly name = "NotebookError";

  constructor(
    readonly code: NotebookErrorCode,
    message: string,
    readonly help: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const SAVE_AGAIN = "open the notebook in Jupyter and save it again";

const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

const unreadable = (file: string, error: unknown): NotebookError => {
  const options = { cause: error };
  switch (errnoOf(error)) {
    case "ENOENT":
      return new NotebookError(
        "NOTEBOOK_NOT_FOUND",
        `${file}: no such file`,
        "check the path; it is relative to the current directory",
        options,
      );
    case "EISDIR":
      return new NotebookError(
        "NOTEBOOK_IS_DIRECTORY",
        `${file}: is a directory, not a notebook`,
        "name one of the .ipynb files in it",
        options,
      );
    default:
      return new NotebookError(
        "NOTEBOOK_UNREADABLE",
        `${file}: cannot be read: \`${errnoOf(error) ?? String(error)}\``,
        "check the file's permissions",
        options,
      );
  }
};

/** Reads a notebook file. Rejects with a `NotebookError` only. */
export const readNotebook = async (file: string): Promise<ImportedNotebook> => {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw unreadable(file, error);
  }
  return parseNotebook(bytes, file);
};

/** Reads a notebook from the bytes of a file; `file` gives it its id, and errors their place. */
export const parseNotebook = (bytes: Uint8Array, file: string): ImportedNotebook => {
  const text = decodeUtf8(bytes, file);
  return new Importer(text, file).notebook(parseText(text, file));
};

/** No UTF-8 sequence holds a line feed, so lines can be told apart, and checked, before decoding. */
const firstLineNotUtf8 = (bytes: Uint8Array): number => {
  let line = 1;
  for (let start = 0; start <= bytes.length; line += 1) {
    const end = bytes.indexOf(0x0a, start);
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) break;
    start = end + 1;
  }
  return line;
};

const decodeUtf8 = (bytes: Uint8Array, file: string): string => {
  if (!isUtf8(bytes)) {
    const place = `${file}:${firstLineNotUtf8(bytes)}`;
    throw new NotebookError("NOTEBOOK_NOT_UTF8", `${place}: is not UTF-8 text`, "convert the file to UTF-8");
  }
  // The decoder drops a byte order mark, as Jupyter does.
  return new TextDecoder().decode(bytes);
};

const parseText = (text: string, file: string): JsonNode => {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new NotebookError(
      "NOTEBOOK_INVALID_JSON",
      `${at(file, placeOf(text, error.offset))}: is not valid JSON: ${error.message}`,
      "the file may be cut short or hold a merge conflict: restore it from its last good version",
      { cause: error },
    );
  }
};

const at = (file: string, { line, column }: Place): string => `${file}:${line}:${column}`;

type ObjectNode = Extract<JsonNode, { kind: "object" }>;

type Magic = Pick<ImportedCell, "cellType" | "runtimeType">;

/** Cell magics that hand a cell to another language than the notebook's. Only html's line is taken off. */
const MAGICS: ReadonlyMap<string, Magic> = new Map([
  ["html", { cellType: "code", runtimeType: "html" }],
  ["javascript", { cellType: "code", runtimeType: "javascript" }],
  ["js", { cellType: "code", runtimeType: "javascript" }],
  ["sql", { cellType: "sql", runtimeType: "sql" }],
  ["ai", { cellType: "ai", runtimeType: "ai" }],
]);

// IPython skips blank lines before a magic; arguments may follow its name.
const MAGIC_LINE = /^(?:[ \t\r]*\n)*%%(\w+)(?:[ \t\r][^\n]*)?(?:\n|$)/;

class Importer {
  constructor(
    readonly text: string,
    readonly file: string,
  ) {}

  notebook(root: JsonNode): ImportedNotebook {
    const document = this.#asObject(root, "$");
    this.#checkFormat(document);
    const metadata = this.#object(document, "$", "metadata");
    const language = this.#language(metadata);
    const name = basename(this.file).replace(/\.ipynb$/i, "");
    return {
      id: notebookId(name),
      title: this.#string(metadata, "$.metadata", "title") || name,
      language,
      cells: this.#cells(document, language),
    };
  }

  #checkFormat(document: ObjectNode): void {
    const nbformat = document.members.get("nbformat");
    if (nbformat === undefined) throw this.#missing(document, "$.nbformat");
    if (nbformat.kind !== "number") throw this.#wrongType(nbformat, "$.nbformat", "a number");
    if (nbformat.value === 4) return;
    throw new NotebookError(
      "NOTEBOOK_UNSUPPORTED_FORMAT",
      `${this.#place(nbformat, "$.nbformat")} must be 4, found \`${nbformat.value}\``,
      nbformat.value < 4
        ? "convert it with `jupyter nbconvert --to notebook --nbformat 4`, or save it with a current Jupyter"
        : "save it in format 4",
    );
  }

  #language(metadata: ObjectNode | undefined): string | null {
    const path = "$.metadata";
    const kernelspec = this.#object(metadata, path, "kernelspec");
    const languageInfo = this.#object(metadata, path, "language_info");
    const language =
      this.#string(kernelspec, `${path}.kernelspec`, "language") ??
      this.#string(languageInfo, `${path}.language_info`, "name");
    return language?.trim().toLowerCase() || null;
  }

  #cells(document: ObjectNode, language: string | null): ImportedCell[] {
    const cells = document.members.get("cells");
    if (cells === undefined) throw this.#missing(document, "$.cells");
    if (cells.kind !== "array") throw this.#wrongType(cells, "$.cells", "a list");
    const nodes = cells.items.map((item, index) => this.#asObject(item, cellPath(index)));
    const ids = this.#ids(nodes);
    return nodes.map((node, index) => this.#cell(node, cellPath(index), ids[index] ?? "", language));
  }

  /** Format 4.5 requires ids; older notebooks get theirs from the cell's place, the same at each import. */
  #ids(cells: readonly ObjectNode[]): string[] {
    const given = cells.map((cell, index) => this.#givenId(cell, cellPath(index)));
    const firstWith = new Map<string, number>();
    for (const [index, id] of given.entries()) {
      if (id === undefined) continue;
      const first = firstWith.get(id);
      if (first !== undefined) throw this.#duplicate(cells, index, first, id);
      firstWith.set(id, index);
    }
    return given.map((id, index) => {
      let generated = id ?? `cell-${index + 1}`;
      while (id === undefined && firstWith.has(generated)) generated += "-generated";
      return generated;
    });
  }

  #givenId(cell: ObjectNode, path: string): string | undefined {
    const id = this.#string(cell, path, "id");
    if (id !== "") return id;
    const place = this.#place(cell.members.get("id"), `${path}.id`);
    throw new NotebookError("NOTEBOOK_WRONG_TYPE", `${place} must not be empty`, "remove it to have one generated");
  }

  #duplicate(cells: readonly ObjectNode[], index: number, first: number, id: string): NotebookError {
    const node = cells[index]?.members.get("id");
    return new NotebookError(
      "NOTEBOOK_DUPLICATE_CELL_ID",
      `${this.#place(node, `${cellPath(index)}.id`)} is already the id of ${cellPath(first)}: \`${id}\``,
      "give one of the two cells another id, or remove it to have one generated",
    );
  }

  #cell(node: ObjectNode, path: string, id: string, language: string | null): ImportedCell {
    const type = this.#string(node, path, "cell_type");
    if (type === undefined) throw this.#missing(node, `${path}.cell_type`);
    const source = this.#source(node, path);
    switch (type) {
      case "code":
        return { id, ...codeCell(source, language) };
      case "markdown":
      case "raw":
        return { id, cellType: type, runtimeType: null, source, html: false };
      default:
        throw new NotebookError(
          "NOTEBOOK_UNKNOWN_CELL_TYPE",
          `${this.#place(node.members.get("cell_type"), `${path}.cell_type`)} ` +
            `must be code, markdown or raw, found \`${type}\``,
          "change the cell's type",
        );
    }
  }

  #source(node: ObjectNode, path: string): string {
    const source = node.members.get("source");
    const sourcePath = `${path}.source`;
    if (source === undefined) throw this.#missing(node, sourcePath);
    if (source.kind === "string") return source.value;
    if (source.kind !== "array") throw this.#wrongType(source, sourcePath, "a string or a list of strings");
    return source.items
      .map((item, index) => {
        if (item.kind !== "string") throw this.#wrongType(item, `${sourcePath}[${index}]`, "a string");
        return item.value;
      })
      .join("");
  }

  #asObject(node: JsonNode, path: string): ObjectNode {
    if (node.kind !== "object") throw this.#wrongType(node, path, "an object");
    return node;
  }

  #object(parent: ObjectNode | undefined, path: string, key: string): ObjectNode | undefined {
    const node = parent?.members.get(key);
    return node === undefined ? undefined : this.#asObject(node, `${path}.${key}`);
  }

  #string(parent: ObjectNode | undefined, path: string, key: string): string | undefined {
    const node = parent?.members.get(key);
    if (node === undefined) return undefined;
    if (node.kind !== "string") throw this.#wrongType(node, `${path}.${key}`, "a string");
    return node.value;
  }

  #missing(parent: ObjectNode, path: string): NotebookError {
    return new NotebookError("NOTEBOOK_MISSING_FIELD", `${this.#place(parent, path)} is missing`, SAVE_AGAIN);
  }

  #wrongType(node: JsonNode, path: string, expected: string): NotebookError {
    const message = `${this.#place(node, path)} must be ${expected}, found \`${node.kind}\``;
    return new NotebookError("NOTEBOOK_WRONG_TYPE", message, SAVE_AGAIN);
  }

  #place(node: JsonNode | undefined, path: string): string {
    return `${at(this.file, placeOf(this.text, node?.offset ?? 0))}: ${path}`;
  }
}

const cellPath = (index: number): string => `$.cells[${index}]`;

const codeCell = (source: string, language: string | null): Omit<ImportedCell, "id"> => {
  const [magicLine = "", name = ""] = MAGIC_LINE.exec(source) ?? [];
  const magic = MAGICS.get(name.toLowerCase());
  const { cellType, runtimeType } = magic ?? codeOf(language);
  const stripped = magic?.runtimeType === "html" ? source.slice(magicLine.length) : source;
  return { cellType, runtimeType, source: stripped, html: runtimeType === "html" };
};

const codeOf = (language: string | null): Pick<ImportedCell, "cellType" | "runtimeType"> =>
  language === "sql" ? { cellType: "sql", runtimeType: "sql" } : { cellType: "code", runtimeType: language };

/** LiveStore takes ASCII letters, digits, `_` and `-` in a store id; other names get a hash so that ids differ. */
const notebookId = (name: string): string => {
  if (/^[A-Za-z0-9_-]+$/.test(name)) return name;
  const slug = name.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "");
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return slug === "" ? `notebook-${hash}` : `${slug}-${hash}`;
};
