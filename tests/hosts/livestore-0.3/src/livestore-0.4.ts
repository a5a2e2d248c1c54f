/** What this host does differently on LiveStore 0.4; `livestore-0.3.ts` says the same of 0.3.1. */
import { makeAdapter } from "@livestore/adapter-node";
import { createStorePromise, type LiveQueryDef, StoreInternalsSymbol } from "@livestore/livestore";
import { Effect, Logger, LogLevel } from "effect";
import { schema } from "./schema.js";
import { type Link, linkOf, type OpenOptions, type Store, storageOf } from "./store.js";
import { syncBackend } from "./sync/backend.js";

export const LIVESTORE: "0.3" | "0.4" = "0.4";

const STANDARD_ERROR = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger));

/** The form of what a backend gives is checked by the tests that sync: LiveStore names its types in a package that no host installs. */
const syncOf = ({ syncPort }: OpenOptions): Pick<Parameters<typeof makeAdapter>[0], "sync"> =>
  syncPort === undefined ? {} : { sync: { backend: syncBackend(syncPort, LIVESTORE) as never } };

export const open = (options: OpenOptions): Promise<Store> => {
  const adapter = makeAdapter({ storage: storageOf(options), clientId: options.clientId, ...syncOf(options) });
  const logging = { logger: STANDARD_ERROR, logLevel: LogLevel.Warning };
  return createStorePromise({ schema, adapter, storeId: options.storeId, disableDevtools: true, ...logging });
};

export const follow = <T>(store: Store, query: LiveQueryDef<T>, onValue: (value: T) => void): (() => void) =>
  store.subscribe(query, onValue);

/** None is pending where the store has shut itself down: it then answers no question, and keeps no event. */
export const pendingCount = (store: Store): number =>
  store[StoreInternalsSymbol].isShutdown ? 0 : store.syncStatus().pendingCount;

/** What the store's leader has taken over and the sync server has not. */
export const unsynced = async (store: Store): Promise<readonly Link[]> =>
  (await Effect.runPromise(store[StoreInternalsSymbol].clientSession.leaderThread.syncState.get)).pending.map(linkOf);

export const shutDown = (store: Store): Promise<void> => store.shutdownPromise();
