/** Measures what is left of the window in which two processes can both take an execution. */
import { cellIds } from "./bound.js";
import { audit, eventually, outOfTurn, Pair, type Notes, type OutOfTurn, type Side } from "./pair.js";

/** Executions between two changes of who serves. */
const STRETCH = 10;

export interface Load {
  readonly executions: number;
  /** What each message to and from the sync server takes on top. */
  readonly latency_ms: number;
}

export interface Found {
  readonly executions: number;
  readonly latency_ms: number;
  /** Requested and never ended. */
  readonly lost: number;
  /** Started more than once. */
  readonly doubled: number;
  /** Of how many executions, and how many of these were doubled, by whose session was the newest when they were first claimed. */
  readonly byNewest: Readonly<Record<Side, { readonly executions: number; readonly doubled: number }>>;
  readonly sessions: number;
  /** From a claim to the other process's sight of it. */
  readonly window_ms: { readonly p50: number; readonly p99: number; readonly max: number };
  /** What the audit of the merged log says, by kind of fault. */
  readonly audit: Readonly<Record<string, number>>;
  /** What of it is out of turn, and whether it was. */
  readonly outOfTurn: readonly OutOfTurn[];
}

const quantile = (sorted: readonly number[], share: number): number =>
  Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10;

const moreThanOnce = (times: ReadonlyMap<string, number>): number => [...times.values()].filter((count) => count > 1).length;

/** How long each claim took to be seen by the other. */
const windows = (one: Notes, other: Notes): number[] =>
  Object.entries(one.claimed).flatMap(([id, at]) => {
    const seen = other.seen[id];
    return seen === undefined ? [] : [Math.max(0, seen - at)];
  });

/** The executions by the side whose session was the newest in the log when they were first claimed. */
const byNewest = (pair: Pair): Found["byNewest"] => {
  const starts = pair.times("v1.ExecutionStarted");
  const counted = { old: { executions: 0, doubled: 0 }, bridge: { executions: 0, doubled: 0 } };
  const known = new Set<unknown>();
  let newest: Side = "old";
  for (const { name, args, clientId } of pair.server.events) {
    if (name === "v1.RuntimeSessionStarted") newest = clientId.startsWith("old") ? "old" : "bridge";
    const { queueId } = args as { queueId?: string };
    if (name !== "v1.ExecutionAssigned" || queueId === undefined || known.has(queueId)) continue;
    known.add(queueId);
    counted[newest].executions += 1;
    if ((starts.get(queueId) ?? 0) > 1) counted[newest].doubled += 1;
  }
  return counted;
};

/** Requests so many executions one after the other, from both sides in turn, while who serves changes all the time. */
export const measure = async ({ executions, latency_ms }: Load): Promise<Found> => {
  const cells = cellIds(executions);
  const pair = await Pair.open(cells, latency_ms);
  try {
    await pair.bridge.ask({ do: "route", route: "registry" });
    await pair.old.ask({ do: "start" });
    await pair.bridge.ask({ do: "start" });
    // What changes from one stretch to the next: each side displaces the other, and the bridge's side changes paths.
    const changes = [
      () => pair.bridge.ask({ do: "route", route: "legacy" }),
      () => pair.bridge.ask({ do: "route", route: "registry" }),
      async () => pair.old.ask({ do: "stop" }).then(() => pair.old.ask({ do: "start" })),
      async () => pair.bridge.ask({ do: "stop" }).then(() => pair.bridge.ask({ do: "start" })),
    ];
    for (let from = 0; from < executions; from += STRETCH) {
      const stretch = cells.slice(from, from + STRETCH);
      const change = changes[(from / STRETCH) % changes.length];
      for (const [n, cell] of stretch.entries()) {
        await (n % 2 === 0 ? pair.old : pair.bridge).ask({ do: "request", cells: [cell] });
        if (n === STRETCH / 2) await change?.();
      }
      await pair.ended(stretch);
    }
    const log = (): number => pair.server.events.length;
    let before = -1;
    await eventually("an end of all events", async () => {
      const isQuiet = log() === before;
      before = log();
      await new Promise((resolve) => setTimeout(resolve, 300 + 4 * latency_ms));
      return isQuiet;
    });
    const [old, bridge] = await Promise.all([pair.old.notes(), pair.bridge.notes()]);
    const seen = [...windows(old, bridge), ...windows(bridge, old)].sort((one, other) => one - other);
    const ended = pair.times("v1.ExecutionCompleted");
    const audited = audit(pair.server);
    return {
      executions,
      latency_ms,
      lost: cells.filter((cell) => !ended.has(`q${cell}`)).length,
      doubled: moreThanOnce(pair.times("v1.ExecutionStarted")),
      byNewest: byNewest(pair),
      sessions: pair.all("v1.RuntimeSessionStarted").length,
      window_ms: { p50: quantile(seen, 0.5), p99: quantile(seen, 0.99), max: quantile(seen, 1) },
      audit: audited.faults,
      outOfTurn: outOfTurn(pair.server, audited, bridge),
    };
  } finally {
    await pair.close();
  }
};
