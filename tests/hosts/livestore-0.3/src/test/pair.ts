/** Two processes on one notebook, and what becomes of its executions. */
import { fork, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SyncServer } from "../sync/server.js";
import type { SyncedEvent } from "../sync/wire.js";

export const NOTEBOOK = "shared";

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));

export type Side = "old" | "bridge";

export type Ask =
  | { readonly do: "create" | "request"; readonly cells: readonly string[] }
  | { readonly do: "route"; readonly route: "legacy" | "registry" }
  | { readonly do: "start" | "stop" | "notes" | "end" };

/** What a process has seen, on the clock that all processes of a machine share. */
export interface Notes {
  /** When it has first seen an execution, in whatever state. */
  readonly known: Readonly<Record<string, number>>;
  /** When it has claimed an execution. */
  readonly claimed: Readonly<Record<string, number>>;
  /** When it has first seen that somebody else has. */
  readonly seen: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, string>>;
  readonly cells: number;
  readonly isActive: readonly boolean[];
}

interface Answered {
  readonly id: number;
  readonly notes: Notes | null;
  readonly error?: string;
}

/** Far beyond what anything here takes. */
const DEADLINE_MS = 60_000;

/** One of the two processes. */
export class Party {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (notes: Notes | null) => void; reject: (error: Error) => void }>();
  #last = 0;

  private constructor(side: Side, port: number) {
    const program = fileURLToPath(new URL("pairProcess.js", import.meta.url));
    this.#child = fork(program, [side, String(port)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#child.on("message", ({ id, notes, error }: Answered) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(notes);
      else waiting?.reject(new Error(`${side}: ${error}`));
    });
    this.#child.on("exit", (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${side} has ended: ${signal ?? code}`));
    });
  }

  static async open(side: Side, port: number): Promise<Party> {
    const party = new Party(side, port);
    await party.#answer(0);
    return party;
  }

  async ask(ask: Ask): Promise<Notes | null> {
    this.#last += 1;
    const answered = this.#answer(this.#last);
    this.#child.send({ ...ask, id: this.#last });
    return answered;
  }

  async notes(): Promise<Notes> {
    const notes = await this.ask({ do: "notes" });
    if (notes === null) throw new Error("a process has nothing to say");
    return notes;
  }

  async close(): Promise<void> {
    await Promise.race([this.ask({ do: "end" }).catch(() => null), sleep(2000)]);
    this.#child.kill();
  }

  #answer(id: number): Promise<Notes | null> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The host's own stop, once one has come: what two processes cannot agree on is looked at from time to time. */
export const eventually = async (what: string, condition: () => Promise<boolean> | boolean): Promise<void> => {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await sleep(20);
  }
};

/** Both processes on a notebook with so many cells, and the server between them. */
export class Pair {
  private constructor(
    readonly server: SyncServer,
    readonly old: Party,
    readonly bridge: Party,
    readonly cells: readonly string[],
  ) {}

  static async open(cells: readonly string[], latency_ms: number): Promise<Pair> {
    const server = new SyncServer(latency_ms);
    const port = await server.listen();
    const [old, bridge] = await Promise.all([Party.open("old", port), Party.open("bridge", port)]);
    const pair = new Pair(server, old, bridge, cells);
    await old.ask({ do: "create", cells });
    await eventually("the cells", async () => (await bridge.notes()).cells === cells.length);
    return pair;
  }

  async close(): Promise<void> {
    await Promise.all([this.old.close(), this.bridge.close()]);
    this.server.close();
  }

  /** The args of all events of this name, in the one order. */
  all(name: string): Record<string, unknown>[] {
    return this.server.events.filter((event) => event.name === name).map(({ args }) => args as Record<string, unknown>);
  }

  /** How often each entry appears in events of this name. */
  times(name: string): ReadonlyMap<string, number> {
    const times = new Map<string, number>();
    for (const args of this.all(name)) {
      const id = String(args["queueId"]);
      times.set(id, (times.get(id) ?? 0) + 1);
    }
    return times;
  }

  /** Resolves once each of these cells' entries has ended. */
  ended(cells: readonly string[]): Promise<void> {
    return eventually(`${cells.length} ends`, () => {
      const ended = this.times("v1.ExecutionCompleted");
      return cells.every((cell) => ended.has(`q${cell}`));
    });
  }
}

/** What the command line's audit says of a log. */
export interface Audited {
  readonly faults: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

export interface Finding {
  readonly kind: string;
  readonly queueId?: string;
  /** The line of the log on which the other event stands that matters. */
  readonly other?: string;
}

/** The log as the command line reads it: JSON, an event a line. */
const lines = (events: readonly SyncedEvent[]): string =>
  events.map(({ name, args }) => JSON.stringify({ name, args })).join("\n");

/** Has the log of both audited. */
export const audit = ({ events }: SyncServer): Audited => {
  const folder = mkdtempSync(join(tmpdir(), "pair-"));
  try {
    const file = join(folder, "shared.jsonl");
    writeFileSync(file, lines(events));
    const args = ["run", "--quiet", "--package", "bridge-cli", "--", "audit", file, "--json"];
    const { stdout, stderr } = spawnSync("cargo", args, { cwd: ROOT, encoding: "utf8" });
    if (stdout === "") throw new Error(stderr);
    const [audited] = JSON.parse(stdout) as Audited[];
    if (audited === undefined) throw new Error("the audit has said nothing");
    return audited;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** An execution that the audit found out of turn, and the one that the bridge ran before it though it was requested later. */
export interface OutOfTurn {
  readonly late: string;
  readonly before: string;
  /** Whether the bridge had seen the late one when it claimed the other: only then has it gone against an order. */
  readonly wasKnown: boolean;
}

/**
 * What the audit calls out of turn, and what of it was. The log has one order of the requests, which nobody sees while it comes
 * about: a store shows its own at once, and puts those of others before them when they arrive.
 */
export const outOfTurn = ({ events }: SyncServer, { findings }: Audited, { known, claimed }: Notes): readonly OutOfTurn[] =>
  findings.flatMap(({ kind, queueId: late, other }) => {
    const { queueId: before } = (events[Number(other?.replace("line ", "")) - 1]?.args ?? {}) as { queueId?: string };
    if (kind !== "reordered" || late === undefined || before === undefined) return [];
    return [{ late, before, wasKnown: (known[late] ?? Infinity) < (claimed[before] ?? -Infinity) }];
  });
