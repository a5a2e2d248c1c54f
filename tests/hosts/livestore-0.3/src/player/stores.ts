/** Stores that tell what runtimes commit from what the player commits, and make runtime commits fail. */
import type { LiveStore } from "runtime-bridge/legacy";
import { recordCommits, type RecordedEvent } from "../eventRecorder.js";
import { closeStore, commit, type EncodedEvent, openStore, shutDown, type Store, type TableDump, tables } from "../store.js";
import { thrown } from "./observations.js";

/** Runtime commits that throw before they are stored. */
export interface Fault {
  /** Which event; any if undefined. */
  readonly event: string | undefined;
  readonly message: string;
  /** How many still throw. */
  times: number;
  /** How many still pass before. */
  skip: number;
  /** Throws a string instead of an `Error`. */
  readonly nonError: boolean;
}

type Observe = (kind: string, fields: Record<string, unknown>) => void;
type Commit = (...events: readonly unknown[]) => unknown;

const MAIN = "main";

/** A store of a scenario. */
export class PlayedStore {
  /** What runtimes are given in place of the store. */
  readonly handed: LiveStore;
  readonly #faults: Fault[] = [];
  #isRuntime = false;
  #threwFault = false;

  private constructor(
    readonly name: string,
    private readonly store: Store,
    private readonly observe: Observe,
  ) {
    this.handed = handedOut(store, (...events) => this.#commitForRuntime(events));
  }

  /** Opens a store and fills it; its filling is not observed. */
  static async open(name: string, events: readonly EncodedEvent[], observe: Observe): Promise<PlayedStore> {
    const store = await openStore({ storeId: `nb-${name}` });
    if (events.length > 0) commit(store, ...events);
    const played = new PlayedStore(name, store, observe);
    recordCommits(store, (recorded) => played.#record(recorded));
    return played;
  }

  get isMain(): boolean {
    return this.name === MAIN;
  }

  /** A commit of the player's own. */
  commit(...events: readonly EncodedEvent[]): void {
    try {
      commit(this.store, ...events);
    } catch (error) {
      this.#observe("commit-error", thrown(error));
    }
  }

  inject(fault: Fault): void {
    this.#faults.push(fault);
  }

  tables(): TableDump {
    return tables(this.store);
  }

  shutdown(): Promise<void> {
    return shutDown(this.store);
  }

  /** A scenario may have shut it down or lost its leader; its rows have been read by now. */
  async close(): Promise<void> {
    await closeStore(this.store).catch(() => undefined);
  }

  #commitForRuntime(events: readonly unknown[]): unknown {
    const wasRuntime = this.#isRuntime;
    this.#isRuntime = true;
    this.#threwFault = false;
    try {
      return (this.store.commit as Commit)(...events);
    } catch (error) {
      if (!this.#threwFault) this.#observe("commit-error", thrown(error));
      throw error;
    } finally {
      this.#isRuntime = wasRuntime;
    }
  }

  #record(events: readonly RecordedEvent[]): void {
    const fault = this.#isRuntime ? this.#takeFault(events) : undefined;
    if (fault !== undefined) {
      const { message } = fault;
      for (const { name, args } of events) this.#observe("event-fault", { name, message, args });
      this.#threwFault = true;
      throw fault.nonError ? message : new Error(message);
    }
    const by = this.#isRuntime ? "runtime" : "player";
    for (const { name, ...event } of events) this.#observe("event", { name, by, ...event });
  }

  /** The fault that hits this commit, if any. */
  #takeFault(events: readonly RecordedEvent[]): Fault | undefined {
    const hits = ({ event, times }: Fault) =>
      times > 0 && (event === undefined || events.some(({ name }) => name === event));
    const fault = this.#faults.find(hits);
    if (fault === undefined) return undefined;
    if (fault.skip > 0) {
      fault.skip -= 1;
      return undefined;
    }
    fault.times -= 1;
    return fault;
  }

  /** Recordings name the store where it is not the main one. */
  #observe(kind: string, fields: Record<string, unknown>): void {
    this.observe(kind, this.isMain ? fields : { ...fields, store: this.name });
  }
}

/** The store with another `commit`. Its methods run on the store itself, which has private members. */
const handedOut = (store: Store, commitForRuntime: Commit): LiveStore =>
  new Proxy(store, {
    get(target, key) {
      if (key === "commit") return commitForRuntime;
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
