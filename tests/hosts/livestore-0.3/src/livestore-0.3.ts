/**
 * What this host does differently on LiveStore 0.3.1: opening, following, draining and shutting down.
 *
 * `livestore-0.4.ts` answers the same questions for 0.4; every other module of the host serves both.
 */
import { makeAdapter } from "@livestore/adapter-node";
import { createStore, type LiveQueryDef, provideOtel } from "@livestore/livestore";
import { Effect, Logger, LogLevel, Scope } from "effect";
import { schema } from "./schema.js";
import { type Link, linkOf, type OpenOptions, type Store, storageOf } from "./store.js";
import { syncBackend } from "./sync/backend.js";

/** The version whose behaviour tests may expect. */
export const LIVESTORE: "0.3" | "0.4" = "0.3";

/**
 * `createStorePromise` prints its debug messages on standard output and cannot be told not to. Running the effect it
 * wraps lets a command line keep standard output for itself; warnings go to standard error.
 */
const quietly = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  effect.pipe(
    Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))),
    Logger.withMinimumLogLevel(LogLevel.Warning),
    Effect.runPromise,
  );

/** The form of what a backend gives is checked by the tests that sync: LiveStore names its types in a package that no host installs. */
const syncOf = ({ syncPort }: OpenOptions): Pick<Parameters<typeof makeAdapter>[0], "sync"> =>
  syncPort === undefined ? {} : { sync: { backend: syncBackend(syncPort, LIVESTORE) as never } };

/** Opens a store. */
export const open = (options: OpenOptions): Promise<Store> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make();
    const adapter = makeAdapter({ storage: storageOf(options), clientId: options.clientId, ...syncOf(options) });
    return yield* createStore({ schema, adapter, storeId: options.storeId, disableDevtools: true }).pipe(Scope.extend(scope));
  }).pipe(Effect.withSpan("openStore"), provideOtel({}), quietly);

/** Calls back with the value of a query now and after each commit that touches its tables. */
export const follow = <T>(store: Store, query: LiveQueryDef<T>, onValue: (value: T) => void): (() => void) =>
  store.subscribe(query, { onUpdate: onValue });

/** Events committed but not yet taken over by the store's leader: shutting down now would lose them. */
export const pendingCount = (store: Store): number => Effect.runSync(store.syncProcessor.syncState.get).pending.length;

/** What the store's leader has taken over and the sync server has not. */
export const unsynced = async (store: Store): Promise<readonly Link[]> =>
  (await Effect.runPromise(store.clientSession.leaderThread.getSyncState)).pending.map(linkOf);

export const shutDown = (store: Store): Promise<void> => store.shutdown();
