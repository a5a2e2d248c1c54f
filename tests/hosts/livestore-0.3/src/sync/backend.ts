/** LiveStore's end of the wire: what it calls a sync backend, in the form of 0.3 and of 0.4 alike. */
import { Effect, Option, Stream, SubscriptionRef } from "effect";
import { type SyncedEvent, Wire } from "./wire.js";

/** The cursor of 0.3 is a pair of numbers or the global one alone, that of 0.4 has a name of its own. */
interface Cursor {
  readonly cursor?: number | { readonly global: number };
  readonly eventSequenceNumber?: number;
}

const numberOf = ({ cursor, eventSequenceNumber }: Cursor): number =>
  eventSequenceNumber ?? (typeof cursor === "object" ? cursor.global : cursor) ?? 0;

/** What both versions call a push that others came before. */
const behind = (head: number, batch: readonly SyncedEvent[]) => {
  const numbers = { minimumExpectedNum: head + 1, providedNum: batch[0]?.seqNum ?? 0 };
  return { "0.3": { _tag: "InvalidPushError", reason: { _tag: "ServerAhead", ...numbers } }, "0.4": { _tag: "ServerAheadError", ...numbers } };
};

/** LiveStore's own objects write themselves in another form as JSON, for people. */
const plain = ({ name, args, seqNum, parentSeqNum, clientId, sessionId }: SyncedEvent): SyncedEvent => ({
  name,
  args,
  seqNum,
  parentSeqNum,
  clientId,
  sessionId,
});

/** A backend that syncs over a port of this machine. */
export const syncBackend = (port: number, version: "0.3" | "0.4") => () =>
  Effect.gen(function* () {
    const isConnected = yield* SubscriptionRef.make(true);
    const close = (wire: Wire) => Effect.sync(() => wire.close());
    const wire = yield* Effect.acquireRelease(Effect.promise(() => Wire.open(port)), close);
    return {
      isConnected,
      connect: Effect.void,
      ping: Effect.void,
      pull: (from: Option.Option<Cursor>) =>
        Stream.async<object>((emit) => {
          wire.follow(Option.match(from, { onNone: () => 0, onSome: numberOf }), (events) => {
            const batch = events.map((eventEncoded) => ({ eventEncoded, metadata: Option.none() }));
            void emit.single({ batch, remaining: 0, pageInfo: { _tag: "NoMore" } });
          });
        }),
      push: (batch: readonly SyncedEvent[]) =>
        Effect.promise(() => wire.push(batch.map(plain))).pipe(
          Effect.flatMap(({ head, isTaken }) => (isTaken ? Effect.void : Effect.fail(behind(head, batch)[version]))),
        ),
      metadata: { name: "wire", description: "one order for the events of two processes" },
      supports: { pullPageInfoKnown: true, pullLive: true },
    };
  });
