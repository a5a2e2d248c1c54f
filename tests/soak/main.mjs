// The process that is soaked: notebooks on real stores execute all the time while candidates break down, flags flip, notebooks
// and whole environments come and go, and from time to time it says how much of the machine it holds. A line of standard output is
// a sample or, at the end, the account; standard input is `{ milliseconds, every }`: how long, and how often a sample is taken.
// It goes on until everything that it does has been done once.

import { readFileSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

import { Acts } from "./acts.mjs";
import { sample } from "./sample.mjs";
import { Serving } from "./serving.mjs";
import { shutdown } from "../../node-binding/dist/index.mjs";

const { milliseconds, every, folder } = JSON.parse(readFileSync(0, "utf8"));
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);
const until = performance.now() + milliseconds;

const before = await sample();
const serving = new Serving();
const acts = new Acts(serving, folder);
const sampling = (async () => {
  for (let at = every; !acts.areOver; at += every) {
    await pause(Math.max(0, at - performance.now()));
    say({ sample: { ...(await sample()), executions: serving.executions, environments: acts.alive } });
  }
})();
await acts.play(() => performance.now() < until);
await serving.end();
await sampling;
await shutdown();
say({ account: { ...acts.account, before, after: await sample() } });
