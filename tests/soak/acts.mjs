// What happens to notebooks while they execute: candidates that break down, flags that flip, environments that come and go.

import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";

import { bridge, configure } from "../../node-binding/dist/index.mjs";
import { seedCandidateFault } from "../../node-binding/dist/testing.mjs";
import { diagnostics, notice, replaceFile, routes, until } from "../../node-binding/tests/helpers.mjs";

/** How long what goes on beside the serving goes on. */
const WHILE_MS = 1500;

/** Documents whose shares of the routes differ. */
const SHARES = [
  { shadow: 50, live: 50 },
  { shadow: 100 },
  { live: 100 },
  { legacy: 20, shadow: 30, live: 30, registry: 20 },
];

const SHADOWED = { shadow: 50, live: 50 };
const BOUNDARIES = ["drain", "now", "next-session"];

const sharing = (shares, boundary) =>
  routes("shadow", { targeting: { fractional: Object.entries(shares) }, boundary });

const tallied = () => {
  const { compared, shed, timedOut, truncated, panicked, died, givenUp } = bridge.status().shadow;
  return compared + shed + timedOut + truncated + panicked + died + givenUp;
};

export class Acts {
  areOver = false;
  /** How often each diagnostic was told. */
  #told = {};
  #played = {};
  /** What went otherwise than it should have. */
  #troubles = [];
  #flips = 0;
  #environments = 0;
  /** Environments besides this one that are there now. */
  alive = 0;
  #serving;
  #flags;

  constructor(serving, folder) {
    this.#serving = serving;
    this.#flags = join(folder, "flags.json");
    configure({ guard: { latch: join(folder, "latch") }, mismatches: { folder: join(folder, "mismatches") }, flags: sharing(SHADOWED) });
    bridge.on("comparison", notice);
  }

  /** Plays all acts, again and again for as long as it is to be. */
  async play(isToGoOn) {
    this.#serving.begin();
    const flips = this.#flipping();
    do await this.#cycle();
    while (isToGoOn());
    // Its thread never comes back, so that more of these would be the shadow's end.
    await this.#act("hang", () => this.#brokenDown("hang"));
    this.areOver = true;
    await flips;
  }

  get account() {
    this.#forget();
    const { shadow, guard } = bridge.status();
    const { executions, stores, astray } = this.#serving;
    const troubles = [...this.#serving.troubles, ...this.#troubles];
    const [played, told, flips, environments] = [this.#played, this.#told, this.#flips, this.#environments];
    return { executions, stores, astray, troubles, flips, environments, played, told, shadow, guard: guard.totals };
  }

  async #cycle() {
    for (const breakdown of ["late", "panic", "flood"]) await this.#act(breakdown, () => this.#brokenDown(breakdown));
    for (const fault of ["dropped-output", "changed-character"]) await this.#act(fault, () => this.#seeded(fault));
    await this.#act("aa", () => this.#aa());
    await this.#act("kill", () => this.#killed());
    await this.#act("flags by file", () => this.#byFile());
    for (const breakdown of ["hang", "spin", "abort"]) {
      await this.#act(`environment, ${breakdown}`, () => this.#environment(breakdown));
    }
  }

  async #act(name, work) {
    try {
      await work();
      this.#played[name] = (this.#played[name] ?? 0) + 1;
    } catch (error) {
      this.#troubles.push(`${name}: ${error.message}`);
    }
    seedCandidateFault(null);
    this.#rearm();
    this.#forget();
    await pause(WHILE_MS);
  }

  /** One candidate that breaks down, while nothing else is compared: three that are away at once would be the shadow's end. */
  async #brokenDown(breakdown) {
    await this.#serving.alone(async () => {
      const before = bridge.status().shadow.wedged;
      await until("the comparisons", () => bridge.status().shadow.waiting === 0 && bridge.status().notebooks.every(({ comparing }) => comparing === 0));
      configure({ flags: sharing({ [Math.random() < 0.5 ? "shadow" : "live"]: 100 }, "now") });
      seedCandidateFault(breakdown);
      const tally = tallied();
      await this.#serving.once(() => until("the verdict", () => tallied() > tally));
      seedCandidateFault(null);
      this.#rearm();
      // One that is late comes back by itself.
      while (breakdown !== "hang" && bridge.status().shadow.wedged > before) await pause(50);
    });
  }

  async #seeded(fault) {
    seedCandidateFault(fault);
    await pause(WHILE_MS);
  }

  async #aa() {
    configure({ shadow: { aa: true } });
    await pause(WHILE_MS);
    configure({ shadow: { aa: false } });
  }

  async #killed() {
    bridge.kill("the soak's kill");
    await pause(WHILE_MS);
    bridge.unkill("the soak goes on");
  }

  /** The file is followed for a while, and let go of. */
  async #byFile() {
    replaceFile(this.#flags, sharing(SHADOWED));
    configure({ flags: this.#flags });
    for (let time = 0; time < 3; time += 1) {
      await pause(WHILE_MS / 3);
      replaceFile(this.#flags, sharing(SHARES[time]));
    }
    configure({ flags: sharing(SHADOWED) });
  }

  /** A worker of its own, which has candidates in processes of their own. */
  async #environment(breakdown) {
    const worker = new Worker(new URL("environment.mjs", import.meta.url), { workerData: { breakdown } });
    this.alive += 1;
    const [code] = await once(worker, "exit");
    this.alive -= 1;
    if (code !== 0) throw new Error(`the environment of \`${breakdown}\` ended with ${code}`);
    this.#environments += 1;
  }

  async #flipping() {
    while (!this.areOver) {
      await pause(WHILE_MS);
      if (this.#serving.isCalm) continue;
      const [shares, boundary] = [SHARES, BOUNDARIES].map((all) => all[Math.floor(Math.random() * all.length)]);
      configure({ flags: sharing(shares, boundary) });
      this.#flips += 1;
    }
  }

  #rearm() {
    if (bridge.status().guard.latched.length > 0) bridge.rearm("the soak goes on");
  }

  /** The tests' list of diagnostics grows with each. */
  #forget() {
    for (const { code } of diagnostics.splice(0)) this.#told[code] = (this.#told[code] ?? 0) + 1;
  }
}
