// Which cells does a notebook file give, and what is said about one that cannot be read?
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NotebookError, parseNotebook, readNotebook, type ImportedCell } from "../ipynb.js";

const NOTEBOOKS = fileURLToPath(new URL("../../../../notebooks/", import.meta.url));

const PYTHON = { kernelspec: { name: "python3", language: "python" } };
const HTML = { language_info: { name: "HTML" } };

const parse = (value: unknown, file = "dir/a.ipynb") =>
  parseNotebook(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)), file);

const notebook = (cells: unknown, metadata: unknown = PYTHON) => ({ cells, metadata, nbformat: 4, nbformat_minor: 5 });

const codeCell = (source: unknown, metadata: unknown = PYTHON): ImportedCell => {
  const [cell] = parse(notebook([{ cell_type: "code", id: "x", source }], metadata)).cells;
  assert.ok(cell);
  return cell;
};

/** What is said about a notebook that cannot be imported. */
const refusal = (value: unknown): string => {
  try {
    parse(value);
  } catch (error) {
    assert.ok(error instanceof NotebookError);
    assert.notEqual(error.help, "");
    return `${error.code} ${error.message}`;
  }
  throw new assert.AssertionError({ message: "was imported" });
};

test("an html magic marks a cell and is taken off", () => {
  for (const [source, expected] of [
    ["%%html\n<p>a</p>\n%%html", "<p>a</p>\n%%html"],
    ["%%HTML\n<p>a</p>", "<p>a</p>"],
    ["%%html --isolated\n<p>a</p>", "<p>a</p>"],
    ["%%html\r\n<p>a</p>", "<p>a</p>"],
    ["\n  \n%%html\n<p>a</p>", "<p>a</p>"],
    [["%%html\n", "<p>", "a</p>"], "<p>a</p>"],
    ["%%html", ""],
  ]) {
    const cell = codeCell(source);
    assert.deepEqual([cell.html, cell.runtimeType, cell.source], [true, "html", expected]);
  }
});

test("text that only resembles an html magic is left alone", () => {
  for (const source of ["%%htmlx\na", "a\n%%html\n", "%html\na", "# %%html", "%% html\na", "%%constructor\na"]) {
    const cell = codeCell(source);
    assert.deepEqual([cell.html, cell.runtimeType, cell.source], [false, "python", source]);
  }
});

test("in a notebook of language html every code cell is html", () => {
  for (const source of ["<p>a</p>", "%%html\n<p>a</p>"]) {
    const cell = codeCell(source, HTML);
    assert.deepEqual([cell.html, cell.runtimeType, cell.source], [true, "html", "<p>a</p>"]);
  }
  assert.equal(codeCell("%%js\nf()", HTML).html, false);
});

test("other magics name their language and keep their line", () => {
  for (const [source, cellType, runtimeType] of [
    ["%%javascript\nf()", "code", "javascript"],
    ["%%js\nf()", "code", "javascript"],
    ["%%sql sqlite:///a.db\nSELECT 1", "sql", "sql"],
    ["%%ai openai:gpt\nSummarise", "ai", "ai"],
    ["%%bash\nls", "code", "python"],
  ]) {
    const cell = codeCell(source);
    assert.deepEqual([cell.cellType, cell.runtimeType, cell.source, cell.html], [cellType, runtimeType, source, false]);
  }
  assert.equal(codeCell("SELECT 1", { language_info: { name: "sql" } }).cellType, "sql");
  assert.equal(codeCell("x", {}).runtimeType, null);
});

test("missing ids are generated from the place, past ids that are taken", () => {
  const cells = [{}, { id: "cell-3" }, {}, { id: "cell-4" }].map((cell) => ({ cell_type: "raw", source: "", ...cell }));
  const ids = () => parse(notebook(cells)).cells.map(({ id }) => id);
  assert.deepEqual(ids(), ["cell-1", "cell-3", "cell-3-generated", "cell-4"]);
  assert.deepEqual(ids(), ids());
});

test("the file's name gives the id, and the title where the notebook has none", () => {
  const idAndTitle = (file: string, metadata: unknown = {}) => {
    const { id, title } = parse(notebook([], metadata), file);
    return [id, title];
  };
  assert.deepEqual(idAndTitle("a/report_1.ipynb"), ["report_1", "report_1"]);
  assert.deepEqual(idAndTitle("report.ipynb", { title: "Sales" }), ["report", "Sales"]);
  const [spaced] = idAndTitle("a b.ipynb");
  const [dashed] = idAndTitle("a-b.ipynb");
  const [japanese] = idAndTitle("売上.ipynb");
  assert.match(String(spaced), /^a-b-[0-9a-f]{8}$/);
  assert.equal(dashed, "a-b");
  assert.match(String(japanese), /^notebook-[0-9a-f]{8}$/);
});

test("a byte order mark and Python's numbers are accepted", () => {
  const text = JSON.stringify(notebook([])).replace('"cells"', '"x":[NaN,Infinity,-Infinity,-1.5e3],"cells"');
  assert.deepEqual(parse(`\ufeff${text}`).cells, []);
});

test("a notebook of the wrong shape is refused with its place", () => {
  const lines = (...text: string[]) => text.join("\n");
  assert.equal(refusal("[]"), "NOTEBOOK_WRONG_TYPE dir/a.ipynb:1:1: $ must be an object, found `array`");
  assert.equal(refusal({ nbformat: 4 }), "NOTEBOOK_MISSING_FIELD dir/a.ipynb:1:1: $.cells is missing");
  assert.equal(refusal({ cells: [] }), "NOTEBOOK_MISSING_FIELD dir/a.ipynb:1:1: $.nbformat is missing");
  assert.equal(
    refusal(lines("{", ' "nbformat": 3,', ' "worksheets": []', "}")),
    "NOTEBOOK_UNSUPPORTED_FORMAT dir/a.ipynb:2:14: $.nbformat must be 4, found `3`",
  );
  assert.equal(
    refusal({ nbformat: "4" }),
    "NOTEBOOK_WRONG_TYPE dir/a.ipynb:1:13: $.nbformat must be a number, found `string`",
  );
  assert.equal(
    refusal(notebook({})),
    "NOTEBOOK_WRONG_TYPE dir/a.ipynb:1:10: $.cells must be a list, found `object`",
  );
  assert.equal(
    refusal(notebook([], { kernelspec: { language: 3 } })),
    "NOTEBOOK_WRONG_TYPE dir/a.ipynb:1:50: $.metadata.kernelspec.language must be a string, found `number`",
  );
});

test("a cell of the wrong shape is refused with its place", () => {
  const cells = (...list: unknown[]) => refusal(notebook(list));
  const raw = { cell_type: "raw", source: "" };
  assert.match(cells(raw, null), /^NOTEBOOK_WRONG_TYPE .*:1:\d+: \$\.cells\[1\] must be an object, found `null`$/);
  assert.match(cells({ cell_type: "code" }), /^NOTEBOOK_MISSING_FIELD .*: \$\.cells\[0\]\.source is missing$/);
  assert.match(cells({ source: "" }), /^NOTEBOOK_MISSING_FIELD .*: \$\.cells\[0\]\.cell_type is missing$/);
  assert.match(
    cells({ ...raw, source: 5 }),
    /^NOTEBOOK_WRONG_TYPE .*: \$\.cells\[0\]\.source must be a string or a list of strings, found `number`$/,
  );
  assert.match(
    cells({ ...raw, source: ["a", 5] }),
    /^NOTEBOOK_WRONG_TYPE .*: \$\.cells\[0\]\.source\[1\] must be a string, found `number`$/,
  );
  assert.match(
    cells({ ...raw, cell_type: "heading" }),
    /^NOTEBOOK_UNKNOWN_CELL_TYPE .*: \$\.cells\[0\]\.cell_type must be code, markdown or raw, found `heading`$/,
  );
  assert.match(cells({ ...raw, id: "" }), /^NOTEBOOK_WRONG_TYPE .*: \$\.cells\[0\]\.id must not be empty$/);
  assert.match(
    cells({ ...raw, id: "a" }, raw, { ...raw, id: "a" }),
    /^NOTEBOOK_DUPLICATE_CELL_ID .*: \$\.cells\[2\]\.id is already the id of \$\.cells\[0\]: `a`$/,
  );
});

test("text that is not JSON is refused with line and column", () => {
  for (const [text, place, message] of [
    ["", "1:1", "expected a value, found the end of the file"],
    ['{"a": 1,\n  "b": "open', "2:13", "unterminated string, found the end of the file"],
    ['{"a": "x\ny"}', "1:9", "unterminated string"],
    ['{"👩‍👧é": x}', "1:10", "expected a value"],
    ["{} {}", "1:4", "unexpected text after the end of the document"],
    ['{"a": 1 "b": 2}', "1:9", "expected a comma or `}`"],
    ["[1, 2", "1:6", "expected a comma or `]`, found the end of the file"],
    ["{a: 1}", "1:2", "expected a key in double quotes"],
    ['{"a" 1}', "1:6", "expected a colon after the key `a`"],
    ['{"a": "\\x"}', "1:7", "invalid escape in a string"],
    ['{"cells": [],\n "cells": []}', "2:2", "duplicate key `cells`"],
    ["[01]", "1:2", "expected a value"],
    [`${"[".repeat(300)}`, "1:202", "nested deeper than `200`"],
  ]) {
    assert.equal(refusal(text), `NOTEBOOK_INVALID_JSON dir/a.ipynb:${place}: is not valid JSON: ${message}`);
  }
});

test("bytes that are not UTF-8 are refused with their line", () => {
  const bytes = Buffer.concat([Buffer.from('{\n "a": "é",\n "b": "'), Buffer.from([0xe9]), Buffer.from('"\n}')]);
  assert.throws(() => parseNotebook(bytes, "a.ipynb"), {
    code: "NOTEBOOK_NOT_UTF8",
    message: "a.ipynb:3: is not UTF-8 text",
    help: "convert the file to UTF-8",
  });
});

test("a file that is missing or a directory is refused", async () => {
  const missing = `${NOTEBOOKS}none.ipynb`;
  await assert.rejects(readNotebook(missing), { code: "NOTEBOOK_NOT_FOUND", message: `${missing}: no such file` });
  await assert.rejects(readNotebook(NOTEBOOKS), { code: "NOTEBOOK_IS_DIRECTORY" });
  await assert.rejects(readNotebook("a\0b"), { code: "NOTEBOOK_UNREADABLE" });
});

test("the notebooks of the test suite are read in full", async () => {
  const read: Record<string, string> = {};
  for (const name of (await readdir(NOTEBOOKS)).filter((file) => file.endsWith(".ipynb")).sort()) {
    read[name] = await readNotebook(NOTEBOOKS + name).then(
      ({ language, cells }) => `${language}: ${cells.filter(({ html }) => html).length} of ${cells.length} html`,
      (error: NotebookError) => error.code,
    );
  }
  assert.deepEqual(read, {
    "bird-count.ipynb": "python: 2 of 3 html",
    "empty-cells.ipynb": "python: 6 of 13 html",
    "energy-audit.ipynb": "python: 2 of 11 html",
    "fifty-towns.ipynb": "python: 50 of 50 html",
    "interactive-form.ipynb": "python: 4 of 5 html",
    "invoice.ipynb": "javascript: 1 of 4 html",
    "malformed.ipynb": "NOTEBOOK_INVALID_JSON",
    "recipe.ipynb": "html: 4 of 5 html",
    "sales-report.ipynb": "python: 4 of 6 html",
    "unicode.ipynb": "python: 6 of 7 html",
  });
});
