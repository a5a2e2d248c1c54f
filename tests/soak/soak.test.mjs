// Does everything that a soak does go as it should, once?
import assert from "node:assert/strict";
import test from "node:test";

import { cannotSoak, soaked, troublesOf } from "../stages/soak.mjs";

test("every act is played, every execution ends once, and what was opened is closed", { skip: cannotSoak() ?? false }, () => {
  const { samples, account } = soaked({ milliseconds: 0, every: 2000 });
  assert.deepEqual(troublesOf(account), []);
  assert.ok(samples.length > 0 && account.executions > 0 && account.stores > 4 && account.flips > 0);
  const acts = ["late", "panic", "flood", "dropped-output", "changed-character", "aa", "kill", "flags by file"];
  const environments = ["hang", "spin", "abort"].map((breakdown) => `environment, ${breakdown}`);
  assert.deepEqual(account.played, Object.fromEntries([...acts, ...environments, "hang"].map((act) => [act, 1])));
  const { waiting, wedged, panicked, timedOut } = account.shadow;
  assert.deepEqual([waiting, wedged], [0, 1]);
  assert.ok(timedOut >= 2 && panicked + timedOut >= 3, "one hangs, one is late, and one panics or is slow at it");
  const { before, after } = account;
  // The mark's file, and the accounts of the thread that compares and of the one that hangs; those two, and the lane's keeper.
  assert.ok(after.files <= before.files + 3, `${after.files} open files after ${before.files}`);
  assert.ok(after.threads <= before.threads + 3, `${after.threads} threads after ${before.threads}`);
});
