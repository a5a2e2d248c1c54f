// Does a decision depend on what is asked and on nothing else, however little of it crosses to the addon?
import assert from "node:assert/strict";
import { unlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import test from "node:test";
import { bridge, configure } from "runtime-bridge";
import { useClock } from "runtime-bridge/testing";
import { folder, PACKAGE, routes, until } from "./helpers.mjs";

const require = createRequire(import.meta.url);
const { addon } = require(join(PACKAGE, "dist/internal/addon.js"));

const QUARTER = { fractional: [["registry", 25], ["legacy", 75]] };
const put = (targeting) => configure({ flags: routes("legacy", { targeting }) });

/** An explanation is told everything as JSON each time. */
const explained = (id, attributes) => {
  const { variant, bucket } = bridge.explain(id, attributes).explanation;
  return { variant, bucket };
};
const decided = (id, attributes) => {
  const { variant, bucket } = bridge.route(id, attributes);
  return { variant, bucket };
};

test("ids of all lengths and characters are decided as they are explained", () => {
  put(QUARTER);
  const long = "x".repeat(2 ** 20);
  const short = Array.from({ length: 12 }, (_, n) => "x".repeat(246 + n));
  const wide = Array.from({ length: 12 }, (_, n) => `${"x".repeat(246 + n)}📓`);
  const odd = ["", "\0", "a\0b", "ä", "ノート📓", "\ud800", "a\udc00b", "\ud83d".repeat(90)];
  for (const id of [...odd, ...short, ...wide, long, `${long}📓`]) {
    const decision = bridge.route(id);
    assert.equal(decision.notebook, id);
    assert.deepEqual(decided(id), explained(id), JSON.stringify(id.slice(0, 300)));
    assert.deepEqual(decided(id, { a: 1 }), explained(id, { a: 1 }));
  }
  assert.deepEqual(bridge.route("\ud800").bucket, bridge.route("\ufffd").bucket);
});

test("what is no id is refused as it was, and the next question is answered", () => {
  put(QUARTER);
  const before = decided("nb");
  const types = { Undefined: undefined, Null: null, Number: 5, Object: {}, Boolean: true, BigInt: 1n };
  for (const [type, id] of Object.entries(types)) {
    assert.throws(() => bridge.route(id), (error) => error.code === "StringExpected" && error.message.includes(type), type);
    assert.throws(() => bridge.route(id, { a: 1 }), { code: "StringExpected" });
  }
  assert.throws(() => bridge.route(Symbol("s")));
  assert.deepEqual(decided("nb"), before);
  for (const arguments_ of [[], ["nb"], ["nb", 0], ["nb", "0", 0], ["nb", 0, "0"]]) {
    assert.throws(() => addon().route(...arguments_), Error);
  }
});

/** Values that cross in different ways, or look alike and are not. */
const VALUES = [
  ...["", "html", "HTML", "ä\0", "\ud800", "1", "true", "null", "x".repeat(300), true, false, null, undefined],
  ...[0, -0, 1, 1.5, -7, 0.1 + 0.2, 2 ** 31, 2 ** 53, 2 ** 60, -(2 ** 53) - 2, 1e19, 1e21, 5e-324, NaN, Infinity],
  ...[["html", 1], [], ["html", 2], () => 1, new Date(0), { nested: 1 }],
];

/** Everything that a rule can see of two attributes, as a text. */
const SEEN = {
  cat: [
    { var: "a" }, "|", { var: "b" }, "|",
    { if: [{ "===": [{ var: "a" }, 1] }, "one", "-"] },
    { if: [{ missing: ["a"] }, "no a", "-"] },
    { if: [{ missing: ["b"] }, "no b", "-"] },
  ],
};

test("every run of attributes is seen as its JSON is", () => {
  let seed = 1;
  const random = (below) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const pick = () => VALUES[random(VALUES.length)];
  const shapes = [
    () => ({ a: pick(), b: pick() }),
    () => ({ b: pick(), a: pick() }),
    () => ({ a: "html", b: pick() }),
    () => ({ a: pick(), b: "html", c: pick() }),
    () => ({ a: pick() }),
    () => ({}),
    () => undefined,
  ];
  const rules = [
    QUARTER,
    { if: [{ ">": [{ var: "a" }, { var: "b" }] }, "registry", "legacy"] },
    { if: [{ in: [{ var: "a" }, { var: "b" }] }, "registry", "legacy"] },
    { if: [{ "===": [{ var: "a" }, { var: "b" }] }, "registry", "legacy"] },
    { fractional: [{ cat: [SEEN, { var: "targetingKey" }] }, ["registry", 1], ["legacy", 1]] },
  ];
  for (const rule of rules) {
    put(rule);
    for (let turn = 0; turn < 1500; turn += 1) {
      const attributes = shapes[random(shapes.length)]();
      const id = `notebook-${random(50)}`;
      assert.deepEqual(decided(id, attributes), explained(id, attributes), JSON.stringify({ rule, id, attributes }));
    }
  }
});

test("the same object with other contents is another question", () => {
  put({ if: [{ "==": [{ var: "team" }, "red"] }, "registry", "legacy"] });
  const attributes = { team: "red" };
  const routed = () => bridge.route("nb", attributes).route;
  assert.equal(routed(), "registry");
  attributes.team = "blue";
  assert.equal(routed(), "legacy");
  attributes.team = "red";
  assert.equal(routed(), "registry");
  delete attributes.team;
  assert.equal(routed(), "legacy");
  attributes.other = "red";
  assert.equal(routed(), "legacy");
  assert.equal(bridge.route("nb").route, "legacy");
  const inherited = Object.create({ team: "red" });
  assert.deepEqual(decided("nb", inherited), explained("nb", inherited));
});

test("a question that somebody else's has replaced is told again", () => {
  put({ if: [{ "==": [{ var: "team" }, "red"] }, "registry", "legacy"] });
  const red = { team: "red", level: 1 };
  assert.equal(bridge.route("nb", red).route, "registry");
  addon().ask('{"team":"blue","level":1}');
  assert.equal(bridge.route("nb", red).route, "registry");
  addon().ask('{"team":"blue","level":1}');
  assert.equal(bridge.route("nb", { team: "red", level: 2 }).route, "registry");
});

test("attributes that cannot be told throw, and are not taken for told", () => {
  put({ if: [{ "==": [{ var: "a" }, "x"] }, "registry", "legacy"] });
  assert.equal(bridge.route("nb", { a: "x", b: 1 }).route, "registry");
  assert.throws(() => bridge.route("nb", { a: "y", b: 1n }), TypeError);
  const trap = { a: "y", get b() { throw new Error("no"); } };
  assert.throws(() => bridge.route("nb", trap), /no/);
  assert.equal(bridge.route("nb", { a: "x", b: 1 }).route, "registry");
  assert.equal(bridge.route("nb", { a: "y", b: 1 }).route, "legacy");
});

test("the host's own attributes stand beneath those of a question", (t) => {
  put({ if: [{ "==": [{ cat: [{ var: "team" }, { var: "level" }] }, "red2"] }, "registry", "legacy"] });
  t.after(() => configure({ attributes: {} }));
  configure({ attributes: (notebook) => ({ team: notebook, level: 1 }) });
  assert.equal(bridge.route("red", { level: 2 }).route, "registry");
  assert.equal(bridge.route("blue", { level: 2 }).route, "legacy");
  assert.equal(bridge.route("red").route, "legacy");
});

test("a rule that looks at the time is told it at every call, any other at none", (t) => {
  let now = 1_000_000;
  let asked = 0;
  const clock = { setTimeout, clearTimeout, setInterval, clearInterval, now: () => (asked += 1) && now };
  t.after(useClock(clock));
  const late = (at) => ({ if: [{ ">=": [{ var: "$flagd.timestamp" }, at] }, "registry", "legacy"] });
  put(late(2000));
  for (const [at, expected] of [[1_000_000, "legacy"], [1_999_999, "legacy"], [2_000_000, "registry"], [1_000_000, "legacy"]]) {
    now = at;
    assert.equal(bridge.route("nb").route, expected, String(at));
    assert.equal(bridge.route("nb", { a: 1 }).route, expected, String(at));
  }
  put(QUARTER);
  bridge.route("nb");
  asked = 0;
  for (let n = 0; n < 100; n += 1) bridge.route(`notebook-${n}`);
  assert.ok(asked <= 2, `asked ${asked} times`);
  put(late(1));
  assert.equal(bridge.route("nb").route, "registry");
  now = NaN;
  assert.equal(bridge.route("nb").route, "legacy");
});

test("nothing of an answer outlasts what changes it: flags, a kill by call, a kill by file", async (t) => {
  const place = folder(t);
  const seen = () => [bridge.route("nb").route, bridge.route("nb", { a: 1 }).route];
  const both = (route) => [route, route];
  put({ if: [true, "registry"] });
  assert.deepEqual(seen(), both("registry"));
  put({ if: [true, "legacy"] });
  assert.deepEqual(seen(), both("legacy"));
  put({ if: [true, "registry"] });
  bridge.kill("a test");
  assert.deepEqual(seen(), both("legacy"));
  bridge.unkill("over");
  assert.deepEqual(seen(), both("registry"));
  const file = join(place, "kill");
  configure({ killFile: file });
  assert.deepEqual(seen(), both("registry"));
  writeFileSync(file, "a test");
  await until("the file kills", () => bridge.route("nb").reason === "killed");
  assert.deepEqual(seen(), both("legacy"));
  unlinkSync(file);
  await until("the file lets go", () => bridge.route("nb").reason !== "killed");
  assert.deepEqual(seen(), both("registry"));
  configure({ killFile: null });
});
