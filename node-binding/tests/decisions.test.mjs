// What decides the route, and what is said when it is in doubt?
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { bridge, configure } from "runtime-bridge";
import { attach } from "runtime-bridge/livestore";
import { Notebook, diagnostics, folder, queryDb, replaceFile, reported, route, routes, Schema, until } from "./helpers.mjs";

const leaseOf = (notebook) => bridge.status().notebooks.find((one) => one.notebook === notebook.id).leases[0];

/** Starts a session and says which path serves it, why, and which doubt was told. */
const serve = async (notebook) => {
  const since = diagnostics.length;
  const runtime = await notebook.start();
  const { path, decision } = leaseOf(notebook);
  await runtime.stop();
  return { path, reason: decision.reason, doubts: reported("ROUTE_IN_DOUBT", since) };
};

const DOUBTS = {
  "no-live-query": { variant: "registry", isAttached: false },
  "not-a-route": { variant: "typo", variants: { typo: "REGISTRY" } },
  evaluation: { variant: "legacy", targeting: { if: [true, "nowhere", "legacy"] } },
};

for (const [doubt, { variant, isAttached = true, ...options }] of Object.entries(DOUBTS)) {
  test(`${doubt}: the old path serves, and says so with a hint`, async (t) => {
    const notebook = await Notebook.open(t, { isAttached });
    route(variant, options);
    const { path, reason, doubts } = await serve(notebook);
    assert.deepEqual([path, reason], ["legacy", { doubt }]);
    assert.equal(doubts.length, 1);
    assert.equal(doubts[0].level, "error");
    assert.ok(doubts[0].message.includes(notebook.id));
    assert.ok(doubts[0].help.length > 0);
  });
}

test("every route but legacy needs the live query", async (t) => {
  const notebook = await Notebook.open(t, { isAttached: false });
  for (const variant of ["shadow", "live", "registry"]) {
    route(variant);
    const { path, reason } = await serve(notebook);
    assert.deepEqual([path, reason], ["legacy", { doubt: "no-live-query" }], variant);
  }
});

test("the kill switch is no doubt", async (t) => {
  const notebook = await Notebook.open(t);
  configure({ flags: routes("registry", { state: "DISABLED" }) });
  assert.deepEqual(await serve(notebook), { path: "legacy", reason: "killed", doubts: [] });
});

test("a store is served by the registry between attach and detach", async (t) => {
  const notebook = await Notebook.open(t, { isAttached: false });
  route("registry");
  const attachment = attach(notebook.store, { queryDb, Schema });
  assert.equal((await serve(notebook)).path, "registry");
  attachment.detach();
  assert.equal((await serve(notebook)).path, "legacy");
});

test("a running session does not move to the new path once its store is detached", async (t) => {
  t.after(() => route("legacy"));
  const notebook = await Notebook.open(t, { isAttached: false });
  const attachment = attach(notebook.store, { queryDb, Schema });
  route("legacy");
  await notebook.start();
  attachment.detach();
  const since = diagnostics.length;
  route("registry", { boundary: "now" });
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  assert.deepEqual(reported("WATCH_FAILED", since), []);
  const { leases } = bridge.status().notebooks.find(({ notebook: id }) => id === notebook.id);
  assert.equal(leases[0].path, "legacy");
});

test("a session whose live query cannot be run goes back to the old path, and the next one stays there", async (t) => {
  t.after(() => route("legacy"));
  const notebook = await Notebook.open(t, { isAttached: false });
  const broken = () => {
    throw new Error("another LiveStore's");
  };
  attach(notebook.store, { queryDb: broken, Schema });
  route("registry", { boundary: "next-session" });
  const since = diagnostics.length;
  const runtime = await notebook.start();
  await until("the way back", () => reported("ROUTE_IN_DOUBT", since).length > 0);
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  notebook.assertNeverTwoSessions();
  assert.equal(reported("WATCH_FAILED", since).length, 1);
  await runtime.stop();
  assert.deepEqual((await serve(notebook)).path, "legacy");
  attach(notebook.store, { queryDb, Schema });
  assert.equal((await serve(notebook)).path, "registry");
});

test("attach says what is missing in what it is given", async (t) => {
  const notebook = await Notebook.open(t, { isAttached: false });
  assert.throws(() => attach({}, { queryDb, Schema }), { code: "NOT_A_STORE" });
  assert.throws(() => attach(notebook.store, {}), { code: "NOT_LIVESTORE" });
});

const BY_PLAN = { if: [{ "==": [{ var: "plan" }, "beta"] }, "registry", "legacy"] };

test("attributes from configure reach targeting, by object and by function", async (t) => {
  t.after(() => configure({ attributes: {} }));
  const notebook = await Notebook.open(t);
  route("legacy", { targeting: BY_PLAN });
  assert.equal((await serve(notebook)).path, "legacy");
  configure({ attributes: { plan: "beta" } });
  assert.deepEqual(await serve(notebook), { path: "registry", reason: "targeting", doubts: [] });
  const asked = [];
  configure({ attributes: (id) => asked.push(id) && { plan: "none" } });
  assert.equal((await serve(notebook)).path, "legacy");
  assert.deepEqual([...new Set(asked)], [notebook.id]);
});

const circular = {};
circular.self = circular;

/** What a host may do instead of giving attributes, with what is said of it. */
const NO_ATTRIBUTES = {
  "an error": [() => { throw new Error("host"); }, /host/],
  "an object without text thrown": [() => { throw Object.create(null); }, /no text/],
  "a promise": [async () => ({ plan: "beta" }), /promise/],
  "a promise that is rejected": [() => Promise.reject(new Error("late")), /promise/],
  "a text": [() => "beta", /no object/],
  "a BigInt": [() => ({ plan: 1n }), /BigInt/],
  "a circle": [() => circular, /circular/],
  "a getter that throws": [() => ({ get plan() { throw new Error("getter"); } }), /getter/],
};

for (const [what, [attributes, said]] of Object.entries(NO_ATTRIBUTES)) {
  test(`${what} for attributes is told, and a notebook of which they are not known is on the old path`, async (t) => {
    t.after(() => configure({ attributes: {} }));
    const notebook = await Notebook.open(t);
    route("registry");
    const since = diagnostics.length;
    configure({ attributes });
    const { path, reason } = await serve(notebook);
    assert.deepEqual([path, reason], ["legacy", { doubt: "unknown-attributes" }]);
    assert.equal(bridge.route("nb").route, "legacy");
    assert.match(reported("ATTRIBUTES_FAILED", since)[0].message, said);
  });
}

test("an object that cannot be told is refused where it is given, and what was known of attributes stays", (t) => {
  t.after(() => configure({ attributes: {} }));
  route("legacy", { targeting: BY_PLAN });
  configure({ attributes: { plan: "beta" } });
  assert.throws(() => configure({ attributes: { plan: 1n } }), { code: "UNKNOWN_OPTION", message: /BigInt/ });
  assert.equal(bridge.route("nb").route, "registry");
});

test("the built-in attributes name the runtime type, the user and the notebook", async (t) => {
  const notebook = await Notebook.open(t);
  const isMeant = { and: [
    { "==": [{ var: "runtimeType" }, "html"] },
    { "==": [{ var: "userId" }, "u1"] },
    { "==": [{ var: "targetingKey" }, notebook.id] },
  ] };
  route("legacy", { targeting: { if: [isMeant, "registry", "legacy"] } });
  assert.equal((await serve(notebook)).path, "registry");
});

test("route and explain answer without a session", () => {
  route("legacy", { targeting: BY_PLAN });
  const decision = bridge.route("some-notebook", { plan: "beta" });
  assert.deepEqual([decision.route, decision.variant, decision.reason], ["registry", "registry", "targeting"]);
  assert.equal(bridge.route("some-notebook").route, "legacy");
  assert.equal(decision.generation, bridge.status().flags.generation);
  const { text, explanation } = bridge.explain("some-notebook", { plan: "beta" });
  assert.match(text, /registry/);
  assert.equal(typeof explanation, "object");
});

const REASONS = {
  static: ["registry"],
  default: ["shadow", { targeting: { if: [false, "shadow"] } }],
  targeting: ["legacy", { variants: { live: "live", legacy: "legacy" }, targeting: { fractional: [["live", 25], ["legacy", 75]] } }],
  killed: ["registry", { state: "DISABLED" }],
  "not-a-route": ["typo", { variants: { typo: "REGISTRY" } }],
  evaluation: ["legacy", { targeting: { if: [true, "nowhere", "legacy"] } }],
  boundary: ["registry", { boundary: "now", drainMs: 1234 }],
};

for (const [name, [variant, options]] of Object.entries(REASONS)) {
  test(`route says what a session is told: ${name}`, async (t) => {
    const notebook = await Notebook.open(t);
    route(variant, options);
    const runtime = await notebook.start();
    const { decision } = leaseOf(notebook);
    assert.deepEqual(bridge.route(notebook.id, { runtimeType: "html", userId: "u1" }), decision);
    assert.deepEqual(bridge.route(notebook.id), decision);
    await runtime.stop();
  });
}

test("route sees a change of the flags at the very next call, however many there have been", () => {
  const ids = Array.from({ length: 20 }, (_, n) => `nb-${n}`);
  for (let change = 0; change < 600; change += 1) {
    const variant = ["legacy", "shadow", "live", "registry"][change % 4];
    route(variant, { drainMs: change });
    for (const id of ids) {
      const decision = bridge.route(id);
      assert.deepEqual([decision.notebook, decision.route, decision.drainMs], [id, variant, change]);
    }
  }
});

test("more outcomes than are remembered are told apart", () => {
  const names = Array.from({ length: 400 }, (_, n) => `v${n}`);
  const variants = Object.fromEntries(names.map((name) => [name, "registry"]));
  route("v0", { variants, targeting: { var: "targetingKey" } });
  for (const name of [...names, ...names]) assert.equal(bridge.route(name).variant, name);
});

test("route asks anew when the attributes are others, also after bad ones", () => {
  route("legacy", { targeting: BY_PLAN });
  const circular = {};
  circular.self = circular;
  for (const [plan, expected] of [["beta", "registry"], ["beta", "registry"], ["none", "legacy"], ["beta", "registry"]]) {
    assert.equal(bridge.route("nb", { plan }).route, expected);
    assert.throws(() => bridge.route("nb", circular), TypeError);
    assert.equal(bridge.route("nb").route, "legacy");
  }
});

test("what is done to a decision changes no later one", () => {
  route("registry");
  const decision = bridge.route("nb");
  decision.route = "legacy";
  assert.equal(bridge.route("nb").route, "registry");
});

test("a file is read at once and followed, and a broken one keeps the last good document", async (t) => {
  const notebook = await Notebook.open(t);
  const file = join(folder(t), "flags.json");
  replaceFile(file, routes("registry"));
  configure({ flags: file });
  assert.equal((await serve(notebook)).path, "registry");
  const since = diagnostics.length;
  writeFileSync(file, '{ "flags": {');
  await until("the refusal", () => reported("FLAGS_REJECTED", since).length > 0);
  assert.ok(reported("FLAGS_REJECTED", since)[0].message.includes(file));
  assert.equal((await serve(notebook)).path, "registry");
  replaceFile(file, routes("legacy"));
  await until("the new document", () => bridge.route(notebook.id).route === "legacy");
  assert.equal((await serve(notebook)).path, "legacy");
});

test("a document given after a file takes the file's place", async (t) => {
  const file = join(folder(t), "flags.json");
  replaceFile(file, routes("legacy"));
  configure({ flags: file });
  route("registry");
  const since = diagnostics.length;
  replaceFile(file, routes("shadow"));
  const other = join(folder(t), "witness.json");
  replaceFile(other, routes("registry"));
  configure({ flags: other });
  replaceFile(other, routes("registry", { boundary: "now" }));
  await until("news of the second file", () => reported("FLAGS_LOADED", since).some(({ message }) => message.includes(other)));
  assert.equal(bridge.route("nb").route, "registry");
});

test("a file is followed on where the document that was to take its place is refused", async (t) => {
  const file = join(folder(t), "flags.json");
  replaceFile(file, routes("registry"));
  configure({ flags: file });
  assert.throws(() => configure({ flags: { flags: { "runtime-route": { state: "ON" } } } }));
  assert.equal(bridge.route("nb").route, "registry");
  replaceFile(file, routes("registry", { state: "DISABLED" }));
  await until("the kill", () => bridge.route("nb").reason === "killed");
});

test("a kill file without a name is refused, because nobody could ever put it there", () => {
  for (const killFile of ["", 5, {}]) assert.throws(() => configure({ killFile }), { code: "UNKNOWN_OPTION" });
});

test("whatever is given as its reason, a call kills", () => {
  route("registry");
  for (const given of [[], [null], [5, null], [{}, { by: 7 }], [Object.create(null)], [Symbol("outage")]]) {
    bridge.kill(...given);
    assert.equal(bridge.route("nb").reason, "killed");
    bridge.unkill("tested");
  }
});

test("a plan names the notebooks that a document would move, and puts nothing in force", async (t) => {
  route("legacy");
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  const plan = bridge.plan(routes("registry"));
  const move = plan.moves.find((move) => move.notebook === notebook.id);
  assert.deepEqual([move.from, move.to], ["legacy", "registry"]);
  assert.deepEqual(bridge.plan(JSON.stringify(routes("legacy"))).moves.filter((move) => move.notebook === notebook.id), []);
  assert.equal(bridge.route(notebook.id).route, "legacy");
  assert.throws(() => bridge.plan('{ "flags": 1 }'), (error) => error.code === "WRONG_TYPE" && error.help.length > 0);
  await runtime.stop();
});

test("bridge.on refuses an event that does not exist", () => {
  assert.throws(() => bridge.on("nothing", () => {}), { code: "UNKNOWN_EVENT", help: "the events are: diagnostic, comparison, rollback" });
});
