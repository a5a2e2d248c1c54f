// Do two stores of plain LiveStore that write at once come to one log? Neither the bridge nor the old code is in it.
//
// On 0.4.0 they do not: after its leader has refused a push, a session forgets what it had queued and offers its next event alone
// (`ClientSessionSyncProcessor.ts`, line 128); the leader takes any event with a higher number than its last, whatever that event
// follows (`LeaderSyncProcessor.ts`, line 1084; `syncstate.ts`, line 382). From then on the leader holds a torn chain. A sync server
// refuses it, and the leader waits for ever for events that are behind it (`LeaderSyncProcessor.ts`, line 909); or a rebase closes
// the gap, the leader's head falls back by that, and its pulling ends without a word (`syncstate.ts`, line 583; sync errors are
// ignored by default). LiveStore tells and repairs it in https://github.com/livestorejs/livestore/pull/1530, which 0.4.0 has not.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { LIVESTORE } from "../store.js";
import { isOneLog, type Patience, torn, writeBoth, type Written } from "./writers.js";

const EVENTS_EACH = 50;

/** On a machine where each commit of one falls between two of the other nothing need go wrong. */
const ROUNDS = 5;

const write = async (t: TestContext, patience: Patience): Promise<Written> => {
  const written = await writeBoth(EVENTS_EACH, patience);
  t.diagnostic(JSON.stringify(written));
  return written;
};

test("two stores of LiveStore 0.3.1 that write at once come to one log", { skip: LIVESTORE !== "0.3" }, async (t) => {
  assert.ok(isOneLog(await write(t, "eager"), 2 * EVENTS_EACH));
});

test("the known fault of LiveStore 0.4.0: of two stores that write at once, one tears its chain", { skip: LIVESTORE !== "0.4" }, async (t) => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { events, stores } = await write(t, "eager");
    if (events < 2 * EVENTS_EACH && stores.some((store) => torn(store).length > 0)) return;
  }
  assert.fail("the fault is gone: have the tests of two processes run on this LiveStore too, and take it off the limits");
});

test("two stores that commit only once their leader has taken over the commit before come to one log", async (t) => {
  assert.ok(isOneLog(await write(t, "patient"), 2 * EVENTS_EACH));
});
