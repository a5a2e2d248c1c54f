// Do processes that share the guard's latch through a sink roll back together, and does one re-arm for all?
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { bridge, configure } from "runtime-bridge";
import { diagnostics, folder, notice, reported, route, runs, until } from "./helpers.mjs";

/** A sink in memory that tells of each write; `text` may be set as another process would. */
class MemorySink {
  text = null;
  writes = 0;
  read() {
    return this.text;
  }
  compareAndSet(expected, next) {
    if (this.text !== expected) return false;
    this.text = next;
    this.writes += 1;
    notice();
    return true;
  }
}

/** The source of a sink in a file. The processes of these tests take turns, so that reading and writing need no lock. */
const FILE_SINK = (file) => `{
  read: () => existsSync(${JSON.stringify(file)}) ? readFileSync(${JSON.stringify(file)}, "utf8") : null,
  compareAndSet(expected, next) {
    if (this.read() !== expected) return false;
    writeFileSync(${JSON.stringify(file)}, next);
    return true;
  },
}`;

/** What another process writes into the sink when its candidate breaks at this many notebooks. */
const rolledBackElsewhere = async (file, notebooks) => {
  const output = await runs(`
    import { existsSync, readFileSync, writeFileSync } from "node:fs";
    import { bridge, configure, shutdown } from "runtime-bridge";
    import { seedCandidateFault } from "runtime-bridge/testing";
    import { Notebook, notice, route, until } from "./tests/helpers.mjs";
    configure({ guard: { sink: ${FILE_SINK(file)} } });
    route("shadow");
    seedCandidateFault("dropped-output");
    let rollbacks = 0;
    bridge.on("rollback", () => (rollbacks += 1, notice()));
    for (let n = 0; n < ${notebooks}; n += 1) {
      const notebook = await Notebook.open();
      await notebook.start();
      for (const id of ["q1", "q2"]) {
        const { compared } = bridge.status().guard.totals;
        notebook.request([id, "a"]);
        await until("the comparison", () => bridge.status().guard.totals.compared > compared);
        if (${notebooks} > 1) break;
      }
    }
    await until("the rollback", () => rollbacks === 1);
    await shutdown();
    console.log("rolled back");
    process.exit(0);
  `);
  assert.match(output, /^rolled back$/m);
  return readFileSync(file, "utf8");
};

const reasonHere = () => bridge.route("nb").reason;

/** A guard that shares its latch through this sink, where the flags send everybody to the registry. */
const shares = (sink) => {
  configure({ guard: { sink } });
  route("registry");
};

test("a rollback of one process is obeyed by the others, and one re-arms for all", async (t) => {
  const file = join(folder(t), "sink");
  const sink = new MemorySink();
  shares(sink);
  assert.equal(reasonHere(), "static", "an empty sink latches nothing");
  const since = diagnostics.length;
  sink.text = await rolledBackElsewhere(file, 4);
  await until("the news", () => reported("ROLLED_BACK_ELSEWHERE", since).length > 0);
  assert.deepEqual(reasonHere(), { "rolled-back": "mismatches" });

  bridge.rearm("looked at", { by: "an operator" });
  assert.equal(reasonHere(), "static");
  await until("the write", () => sink.writes > 0);
  writeFileSync(file, sink.text);
  const restarted = await runs(`
    import { existsSync, readFileSync, writeFileSync } from "node:fs";
    import { bridge, configure } from "runtime-bridge";
    import { routes } from "./tests/helpers.mjs";
    configure({ guard: { sink: ${FILE_SINK(file)} }, flags: routes("registry") });
    console.log(JSON.stringify([bridge.route("nb").reason, bridge.status().guard.rearmed[0].by]));
    process.exit(0);
  `);
  assert.match(restarted, /^\["static","an operator"\]$/m);
});

test("a kill by a call is every process's, and so is its end", async () => {
  const sink = new MemorySink();
  shares(sink);
  bridge.kill("outage");
  await until("the write", () => sink.writes === 1);
  const killed = sink.text;
  bridge.unkill("fixed");
  assert.equal(reasonHere(), "static");
  await until("the write", () => sink.writes === 2);
  const released = sink.text;
  sink.text = killed;
  await until("the kill elsewhere", () => reasonHere() === "killed");
  sink.text = released;
  await until("its end elsewhere", () => reasonHere() === "static");
  sink.text = killed;
  await until("another kill", () => reasonHere() === "killed");
  bridge.unkill("fixed here");
  assert.equal(reasonHere(), "static");
});

test("a write that somebody else was faster than keeps both", async (t) => {
  const theirs = await rolledBackElsewhere(join(folder(t), "sink"), 1);
  const sink = new MemorySink();
  shares(sink);
  sink.text = "not a state";
  await until("the doubt", () => bridge.status().guard.latched.some(({ tier }) => tier === "unreadable"));
  const { compareAndSet } = sink;
  sink.compareAndSet = (expected, next) => {
    sink.text = theirs;
    sink.compareAndSet = compareAndSet;
    return compareAndSet.call(sink, expected, next);
  };
  bridge.rearm("the sink was edited by hand");
  await until("the write", () => sink.writes === 1);
  const { latched, rearmed } = bridge.status().guard;
  assert.deepEqual([latched.length, rearmed.at(-1).reason], [0, "the sink was edited by hand"]);
});

test("a sink that does not answer is told, and keeps no host from starting or ending", async () => {
  const output = await runs(`
    import { bridge, configure, ready, shutdown } from "runtime-bridge";
    import { useClock } from "runtime-bridge/testing";
    import { reported, routes, settled, VirtualClock } from "./tests/helpers.mjs";
    const clock = new VirtualClock();
    useClock(clock);
    const sink = { read: () => new Promise(() => {}), compareAndSet: async () => true };
    configure({ guard: { sink }, flags: routes("registry") });
    const isReady = settled("the start", ready());
    await clock.advance(10_000);
    await isReady;
    console.log(bridge.route("nb").route, reported("GUARD_SINK_FAILED")[0].message);
    const isOver = settled("the end", shutdown());
    await clock.advance(30_000);
    await isOver;
    console.log("over");
    process.exit(0);
  `);
  assert.match(output, /^legacy the guard's sink failed: no answer within 10 seconds\nover$/m);
});

test("until a sink has been read, and while it fails at that, the old path serves", async () => {
  const output = await runs(`
    import { bridge, configure, ready } from "runtime-bridge";
    import { notice, reported, routes, until } from "./tests/helpers.mjs";
    let isReachable = false;
    let reads = 0;
    const sink = {
      async read() {
        reads += 1;
        setTimeout(notice, 0);
        if (!isReachable) throw new Error("no connection");
        return null;
      },
      compareAndSet: async () => true,
    };
    const reason = () => bridge.route("nb").reason;
    configure({ guard: { sink }, flags: routes("registry") });
    const seen = [reason()];
    await ready();
    seen.push(reason());
    await until("a second look", () => reads > 1);
    seen.push(reason(), reported("GUARD_SINK_FAILED").length);
    isReachable = true;
    await until("the sink", () => reason() === "static");
    console.log(JSON.stringify(seen));
    process.exit(0);
  `);
  const unread = { "rolled-back": "unreadable" };
  assert.match(output, new RegExp(`^${JSON.stringify([unread, unread, unread, 1]).replaceAll(/[[\]{}]/g, "\\$&")}$`, "m"));
});

test("an option that the guard cannot follow is refused", () => {
  const sink = { read: () => null };
  for (const [name, values] of Object.entries({
    latch: ["", 5], sink: [{}, null, sink], dryRun: ["no"], rateLimit: [-1, 0, 2, NaN], minNotebooks: [-3, 0.5], minWatchedMs: ["x"],
  })) {
    for (const value of values) {
      const refused = { code: "BAD_OPTION", message: new RegExp(`guard.${name}`) };
      assert.throws(() => configure({ guard: { [name]: value } }), refused);
    }
  }
});

test("a latch has one store", () => {
  assert.throws(() => configure({ guard: { latch: "guard.state" } }), { code: "GUARD_HAS_TWO_STORES" });
});
