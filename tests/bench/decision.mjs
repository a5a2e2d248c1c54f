// One decision by a rule of 25 %: ours in Rust and from JavaScript, beside flagd's own core in JavaScript and Statsig's in Rust.

import { execFileSync } from "node:child_process";
import { FlagdCore } from "@openfeature/flagd-core";
import { Statsig, StatsigUser } from "@statsig/statsig-node-core";
import { bridge, configure } from "runtime-bridge";

import { quarter, quarterOfHtml } from "./documents.mjs";
import { interleaved } from "./measure.mjs";
import { silent } from "./quiet.mjs";
import { row } from "./table.mjs";

export const topic = "a decision by a 25 % rule";

/** Another notebook each time, so that no answer can be remembered for the next question. */
const ids = Array.from({ length: 1000 }, (_, n) => `notebook-${n}`);
const idOf = (turn) => ids[turn % ids.length];

const ATTRIBUTES = { runtimeType: "html", userId: "user-1" };

/** Another user each time: attributes that are those of the question before need not cross to Rust again. */
const attributesOf = (turn) => ({ runtimeType: "html", userId: idOf(turn) });

export async function measure({ quick, rustBench: [command, ...args] }) {
  const inRust = JSON.parse(execFileSync(command, [...args, quick ? "3" : "100"], { input: JSON.stringify(quarter()) }));
  configure({ flags: quarter() });
  const flagd = flagdCore();
  const statsig = await statsigCore();
  checkAnswers(flagd);
  const effort = quick ? { rounds: 2, calls: 2000 } : { rounds: 40, calls: 20_000 };
  const times = interleaved(contestants(flagd, statsig), effort);
  await statsig.shutdown();
  configure({ flags: quarterOfHtml() });
  flagd.setConfigurations(JSON.stringify(quarterOfHtml()));
  checkAnswers(flagd, ATTRIBUTES);
  const conditional = interleaved(underCondition(flagd), effort);
  return [
    row({ what: "evaluated in Rust", ours: inRust.evaluate.nanoseconds, unit: "ns", better: "less", goal: { value: 250 } }),
    row({ what: "evaluated in Rust", ours: inRust.evaluate.allocations, unit: "allocations", better: "less", goal: { value: 0 } }),
    row({ what: "decided in Rust, with reason and boundary", ours: inRust.decide.nanoseconds, unit: "ns", better: "less" }),
    beside("bridge.route(id) beside flagd-core", times.route, times.flagd, { value: 300 }),
    beside("bridge.route(id) beside Statsig's checkGate", times.route, times.statsig),
    beside("bridge.route(id, two attributes) beside flagd-core", times.routeWithAttributes, times.flagdWithAttributes),
    beside("bridge.route(id, two attributes) beside Statsig's checkGate", times.routeWithAttributes, times.statsigWithAttributes),
    beside("bridge.route(id, two attributes, another user each time) beside flagd-core", times.routeOfUsers, times.flagdOfUsers),
    beside("the same by a rule with a condition, beside flagd-core", conditional.route, conditional.flagd),
  ];
}

function beside(what, ours, peer, goal) {
  return row({ what, ours, peer, unit: "ns", better: "less", goal });
}

function contestants(flagd, statsig) {
  const gate = { disableExposureLogging: true };
  return {
    route: (turn) => bridge.route(idOf(turn)),
    flagd: (turn) => flagd.resolveStringEvaluation("runtime-route", "legacy", { targetingKey: idOf(turn) }),
    statsig: (turn) => statsig.checkGate(new StatsigUser({ userID: idOf(turn) }), "runtime-route", gate),
    routeWithAttributes: (turn) => bridge.route(idOf(turn), ATTRIBUTES),
    flagdWithAttributes: (turn) => flagdOf(flagd, turn, ATTRIBUTES),
    routeOfUsers: (turn) => bridge.route(idOf(turn), attributesOf(turn)),
    flagdOfUsers: (turn) => flagdOf(flagd, turn, attributesOf(turn)),
    statsigWithAttributes: (turn) =>
      statsig.checkGate(new StatsigUser({ userID: idOf(turn), custom: ATTRIBUTES }), "runtime-route", gate),
  };
}

/** A rule that only the engine can evaluate, where a rule of nothing but shares needs none. */
function underCondition(flagd) {
  return {
    route: (turn) => bridge.route(idOf(turn), attributesOf(turn)),
    flagd: (turn) => flagdOf(flagd, turn, attributesOf(turn)),
  };
}

function flagdOf(flagd, turn, attributes) {
  return flagd.resolveStringEvaluation("runtime-route", "legacy", { targetingKey: idOf(turn), ...attributes });
}

function flagdCore() {
  const flagd = new FlagdCore(undefined, silent);
  flagd.setConfigurations(JSON.stringify(quarter()));
  return flagd;
}

/** A contestant that answers otherwise does other work. Statsig hashes with a salt of its own: its share is checked instead. */
function checkAnswers(flagd, attributes = {}) {
  for (const [turn, id] of ids.entries()) {
    const theirs = flagdOf(flagd, turn, attributes).value;
    if (bridge.route(id, attributes).route !== theirs) throw new Error(`flagd-core and the bridge differ on \`${id}\``);
  }
}

/** Statsig's engine on a gate of 25 %, handed to it as its data store would; it is told to use no network. */
async function statsigCore() {
  const get = async () => ({ result: JSON.stringify(statsigSpecs()), time: 1 });
  const dataStore = { initialize: async () => undefined, shutdown: async () => undefined, get, supportPollingUpdatesFor: async () => false };
  const options = { disableNetwork: true, disableAllLogging: true, disableCountryLookup: true, outputLogLevel: "none", dataStore };
  const statsig = new Statsig("secret-none", options);
  const { isSuccess, error } = await statsig.initialize();
  if (!isSuccess) throw new Error(`Statsig does not start: ${error}`);
  const passed = ids.filter((userID) => statsig.checkGate(new StatsigUser({ userID }), "runtime-route")).length;
  if (Math.abs(passed / ids.length - 0.25) > 0.05) throw new Error(`Statsig's gate passes ${passed} of ${ids.length}`);
  return statsig;
}

function statsigSpecs() {
  const common = { idType: "userID", isDeviceBased: false };
  const everyone = { ...common, type: "public", targetValue: null, operator: null, field: null, additionalValues: {} };
  const rule = { ...common, id: "rule", name: "rule", groupName: "rule", salt: "rule", passPercentage: 25, conditions: ["everyone"], returnValue: true };
  const gate = { ...common, type: "feature_gate", entity: "feature_gate", salt: "runtime-route", enabled: true, defaultValue: false, version: 1, rules: [rule] };
  return {
    has_updates: true,
    time: 1,
    response_format: "dcs-v1",
    feature_gates: { "runtime-route": gate },
    condition_map: { everyone },
    dynamic_configs: {},
    layer_configs: {},
    layers: {},
    experiment_to_layer: {},
    id_lists: {},
    sdk_configs: {},
    diagnostics: {},
    param_stores: {},
  };
}
