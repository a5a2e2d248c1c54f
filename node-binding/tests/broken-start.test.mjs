// Which path serves where the first flag document cannot be read?
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { bridge, configure } from "runtime-bridge";
import { Notebook, folder, replaceFile, reported, until } from "./helpers.mjs";

test("the old one, with the document's fault and the doubt both told", async (t) => {
  const file = join(folder(t), "flags.json");
  replaceFile(file, '{ "flags": { "runtime-route": { "state": "ON" } } }');
  configure({ flags: file });
  const notebook = await Notebook.open(t);
  await notebook.start();
  const [lease] = bridge.status().notebooks[0].leases;
  assert.deepEqual([lease.path, lease.decision.reason], ["legacy", { doubt: "no-document" }]);
  assert.equal(reported("ROUTE_IN_DOUBT").length, 1);
  await until("the fault", () => reported("FLAGS_REJECTED").length > 0);
  assert.ok(reported("FLAGS_REJECTED")[0].message.includes("runtime-route"));
  assert.ok(bridge.status().flags.error.code.length > 0);
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
});
