// Does the bridge keep a process alive, or bring one down?
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { folder, replaceFile, routes, runs } from "./helpers.mjs";

const SET_UP = `
  import { Notebook, route } from "./tests/helpers.mjs";
  process.on("unhandledRejection", (error) => { console.log("unhandled", error); process.exit(3); });
`;

test("it ends with an active poll of the old path", async () => {
  const script = `${SET_UP}
    const notebook = await Notebook.open();
    const runtime = await notebook.start();
    notebook.request(["q1", "a"]);
    await notebook.untilCompleted(1);
    await notebook.store.shutdown();
    console.log("done");
  `;
  assert.match(await runs(script, { env: { RUNTIME_BRIDGE_FLAGS: "" } }), /^done$/m);
});

test("it ends with an active watch of the registry and a watched flag file", async (t) => {
  const file = join(folder(t), "flags.json");
  replaceFile(file, routes("registry"));
  const script = `${SET_UP}
    const notebook = await Notebook.open();
    const runtime = await notebook.start();
    notebook.request(["q1", "a"]);
    await notebook.untilCompleted(1);
    await notebook.store.shutdown();
    console.log(runtime.getState().runtimeId);
  `;
  assert.match(await runs(script, { env: { RUNTIME_BRIDGE_FLAGS: file } }), /^registry-/m);
});

test("it ends while a restart is pending", async () => {
  const script = `${SET_UP}
    import { BaseRuntime } from "runtime-bridge/legacy";
    class Mine extends BaseRuntime { async doStart() {} async doStop() {} }
    const mine = new Mine({ id: "mine", name: "Mine", type: "external" }, {});
    await mine.start("nb");
    mine.restart().then(() => console.log("restarted"), () => console.log("restarted"));
    console.log("waiting");
  `;
  assert.equal(await runs(script), "waiting\n");
});

test("an ordinary life leaves no rejection unhandled", async () => {
  const script = `${SET_UP}
    route("registry");
    const notebook = await Notebook.open();
    const runtime = await notebook.start();
    notebook.beforeCommit = (events) => { if (events.some(({ name }) => name.includes("Started"))) throw new Error("offline"); };
    notebook.request(["q1", "a"]);
    await notebook.untilCompleted(0);
    route("legacy");
    await runtime.restart().catch(() => {});
    runtime.destroy();
    await notebook.close();
    console.log("done");
  `;
  assert.match(await runs(script), /^done$/m);
});

test("two workers have bridges, flags and notebooks of their own", async () => {
  const script = `
    import { Worker } from "node:worker_threads";
    import { bridge } from "runtime-bridge";
    const source = \`
      import { parentPort, workerData } from "node:worker_threads";
      import { bridge } from "runtime-bridge";
      import { Notebook, route } from "./tests/helpers.mjs";
      route(workerData);
      const notebook = await Notebook.open();
      const runtime = await notebook.start();
      notebook.request(["q1", "a"]);
      await notebook.untilCompleted(1);
      const { notebooks, flags } = bridge.status();
      parentPort.postMessage({ count: notebooks.length, path: notebooks[0].leases[0].path, generation: flags.generation });
      await notebook.close();
    \`;
    const works = (route) => new Promise((resolve, reject) => {
      const worker = new Worker(source, { eval: true, workerData: route, execArgv: ["--input-type=module"] });
      worker.on("message", resolve);
      worker.on("error", reject);
    });
    const seen = await Promise.all([works("registry"), works("legacy")]);
    console.log(JSON.stringify({ seen, here: bridge.status() }));
  `;
  const { seen, here } = JSON.parse((await runs(script, { env: { RUNTIME_BRIDGE_FLAGS: "" } })).trim().split("\n").pop());
  assert.deepEqual(seen, [
    { count: 1, path: "registry", generation: 1 },
    { count: 1, path: "legacy", generation: 1 },
  ]);
  assert.deepEqual([here.flags.generation, here.notebooks], [0, []]);
});
