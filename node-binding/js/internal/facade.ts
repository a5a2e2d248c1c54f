import { commitAsMade } from "../livestore";
import type { LiveStore } from "../types";
import type { FacadeState, WireEvent } from "./protocol";

/**
 * Decides on a commit of the host's code: `perform` commits the arguments at these places of what was offered. False where the
 * core gave no verdict at all.
 */
export type Judge = (token: number, events: readonly WireEvent[], perform: (passed: readonly number[]) => void) => boolean;

/**
 * What the host's code is given as its store. It is the host's own store but for this: each commit is judged under the token
 * of the session's lease, and while another path serves there is no work to be seen.
 */
export interface Facade {
  /** The store, as the host's code sees it. */
  readonly store: LiveStore;
  /** What may be done from now on. */
  grant(state: FacadeState): void;
}

/** A facade over the host's store. */
export function commitFacade(store: LiveStore, granted: FacadeState, judge: Judge): Facade {
  const own = store as unknown as { query: Method; subscribe: Method };
  let state = granted;
  // Closed, it keeps its last token: what comes late is judged, and counted, as the stale commit that it is.
  let token = granted.is === "closed" ? 0 : granted.token;
  const withheld = new Set<() => void>();

  const commit = (...given: unknown[]): unknown => {
    const offered = given.flatMap((value, place) => (isOffered(value) ? [{ place, event: wireEvent(value) }] : []));
    let result: unknown;
    const perform = (passed: readonly number[]): void => {
      const kept = new Set(passed.map((index) => offered[index]?.place));
      if (kept.size > 0) result = commitAsMade(store, given.filter((value, place) => !isOffered(value) || kept.has(place)));
    };
    const events = offered.map(({ event }) => event);
    // The core is broken, which it has said: the host's code goes on if it was the one to serve.
    if (!judge(token, events, perform) && state.is !== "closed") return commitAsMade(store, given);
    return result;
  };

  const query = (...given: unknown[]): unknown => {
    const result: unknown = own.query(...given);
    return visible(state, result);
  };

  /** A subscriber that was shown less than there is sees all of it once the facade opens. */
  const subscribe = (queried: unknown, listener: unknown, ...rest: unknown[]): unknown => {
    let isOver = false;
    const shown = (tell: Method): Method => {
      let latest: unknown[] = [];
      const deliver: Method = (...given) => {
        latest = given;
        withheld.delete(again);
        const [result, ...more] = given;
        const seen = visible(state, result);
        if (seen !== result) withheld.add(again);
        return tell(seen, ...more);
      };
      const again = (): void => {
        if (!isOver) deliver(...latest);
      };
      return deliver;
    };
    const unsubscribe = own.subscribe(queried, listening(listener, shown), ...rest);
    return () => {
      isOver = true;
      (unsubscribe as Method)();
    };
  };

  return {
    store: seenAs(store, { commit, query, subscribe }),
    grant(next) {
      state = next;
      if (next.is !== "closed") token = next.token;
      if (next.is !== "open") return;
      for (const again of withheld) queueMicrotask(again);
      withheld.clear();
    },
  };
}

type Method = (...args: unknown[]) => unknown;

/** The store with other methods. Its own run on the store itself, which has private members. */
function seenAs(store: LiveStore, methods: Record<PropertyKey, Method>): LiveStore {
  const bound = new Map<unknown, unknown>();
  return new Proxy(store, {
    get(target, key) {
      if (Object.hasOwn(methods, key)) return methods[key];
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== "function") return member;
      if (!bound.has(member)) bound.set(member, (member as Method).bind(target));
      return bound.get(member);
    },
  });
}

/** LiveStore 0.3 takes `{ onUpdate }`, 0.4 a callback. */
function listening(listener: unknown, shown: (tell: Method) => Method): unknown {
  if (typeof listener === "function") return shown(listener as Method);
  const { onUpdate } = (listener ?? {}) as { onUpdate?: Method };
  if (typeof onUpdate !== "function") return listener;
  return { ...(listener as object), onUpdate: shown((...args) => Reflect.apply(onUpdate, listener, args)) };
}

/** The statuses of entries that the host's code might begin to run, and must not: a draining one may start what it has claimed. */
const HIDDEN: Record<FacadeState["is"], ReadonlySet<unknown>> = {
  open: new Set(),
  draining: new Set(["pending"]),
  closed: new Set(["pending", "assigned"]),
};

/** Rows without those that are hidden. */
function visible({ is }: FacadeState, result: unknown): unknown {
  const isHidden = (row: unknown): boolean => HIDDEN[is].has((row as { status?: unknown } | null)?.status);
  return Array.isArray(result) && result.some(isHidden) ? result.filter((row) => !isHidden(row)) : result;
}

/** Events, and a function that makes some; commit options are neither. */
function isOffered(value: unknown): value is object {
  if (typeof value === "function") return true;
  return typeof value === "object" && value !== null && typeof (value as { name?: unknown }).name === "string" && "args" in value;
}

/** As much of an event as the gate judges, dates as ISO strings; what cannot be written as JSON is the store's to refuse. */
function wireEvent(value: object): WireEvent {
  if (typeof value === "function") return { name: "transaction", args: {} };
  const { name, args } = value as WireEvent;
  try {
    return JSON.parse(JSON.stringify({ name, args })) as WireEvent;
  } catch {
    return { name, args: {} };
  }
}
