// Is the host's own code compared with the registry, and left alone by it?
import assert from "node:assert/strict";
import { test } from "node:test";
import { bridge, type Comparison } from "runtime-bridge";
import { Bound, cellIds, notice, route, until } from "./bound.js";

const comparisons: Comparison[] = [];
bridge.on("comparison", (comparison) => {
  comparisons.push(comparison);
  notice();
});

const executionsOf = (notebook: Bound): Comparison["executions"] =>
  comparisons.filter((one) => one.notebook === notebook.id).flatMap(({ executions }) => executions);

for (const variant of ["shadow", "live"] as const) {
  test(`${variant}: what the host's code does differs from the registry as the ledger says`, async (t) => {
    route(variant);
    const notebook = await Bound.open(t, 5);
    await notebook.start();
    assert.equal(notebook.serving, variant === "shadow" ? "legacy" : "registry");
    cellIds(5).forEach((id) => notebook.request(id));
    await notebook.untilCompleted(5);
    await until("every comparison", () => executionsOf(notebook).length === 5);
    assert.deepEqual(
      executionsOf(notebook).map(({ verdict }) => verdict),
      Array.from({ length: 5 }, () => "known"),
    );
  });
}
