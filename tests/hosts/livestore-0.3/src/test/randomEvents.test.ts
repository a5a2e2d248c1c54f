// After any events, are our tables those of a real store?
//
// The bridge's materialiser prints random notebooks with its tables after every transaction; each is committed here to a
// store of its own. `CASES` says how many notebooks, `SEED` which; `CASE` runs one of them alone.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { allTables, commit, type EncodedEvent, type JsonObject, LIVESTORE } from "../store.js";
import { withStore } from "./withStore.js";

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));
const SEED = process.env["SEED"] ?? "1";
const ONE = process.env["CASE"];
const [FIRST, CASES] = ONE === undefined ? [0, Number(process.env["CASES"] ?? 150)] : [Number(ONE), 1];

/** A hundred notebooks are a few megabytes of JSON. */
const AT_ONCE = 100;

interface Notebook {
  readonly notebook: number;
  readonly commits: readonly { readonly events: readonly EncodedEvent[]; readonly tables: Dump }[];
}

type Dump = Readonly<Record<string, readonly JsonObject[]>>;

const printed = (first: number, count: number): Notebook[] => {
  const args = ["run", "--quiet", "--package", "tests", "--bin", "random-events", "--", SEED, `${first}`, `${count}`];
  const { status, stdout, stderr } = spawnSync("cargo", args, { cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 28 });
  assert.equal(status, 0, stderr);
  return stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as Notebook);
};

/** JSON has a negative zero that `JSON.stringify` does not write. */
const rewritten = (dump: Dump): Dump => JSON.parse(JSON.stringify(dump)) as Dump;

/** The first row of ours that differs. */
const difference = (ours: Dump, theirs: Dump): string | undefined => {
  for (const [table, rows] of Object.entries(theirs)) {
    const our = ours[table] ?? [];
    for (let at = 0; at < Math.max(rows.length, our.length); at += 1) {
      if (isDeepStrictEqual(our[at], rows[at])) continue;
      return `${table}[${at}]\n  ours      ${JSON.stringify(our[at])}\n  LiveStore ${JSON.stringify(rows[at])}`;
    }
  }
  return undefined;
};

/** What differs first, with the transaction that made it so. */
const check = ({ commits }: Notebook): Promise<string | undefined> =>
  withStore((store) => {
    for (const { events, tables } of commits) {
      commit(store, ...events);
      const found = difference(rewritten(tables), allTables(store));
      if (found !== undefined) return `${found}\n  after ${events.map((event) => JSON.stringify(event)).join("\n        ")}`;
    }
    return undefined;
  });

test(`random events make the same tables as on LiveStore ${LIVESTORE}`, { timeout: CASES * 10_000 }, async () => {
  for (let first = FIRST; first < FIRST + CASES; first += AT_ONCE) {
    for (const notebook of printed(first, Math.min(AT_ONCE, FIRST + CASES - first))) {
      assert.equal(await check(notebook), undefined, `SEED=${SEED} CASE=${notebook.notebook}`);
    }
  }
});
