/** What a store and the sync server say to each other: JSON, a message a line. */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** An event in the order that the server has given it. */
export interface SyncedEvent {
  readonly name: string;
  readonly args: unknown;
  readonly seqNum: number;
  readonly parentSeqNum: number;
  readonly clientId: string;
  readonly sessionId: string;
}

/** What a client says: events that it has made, or that it wants all events behind a number, now and from now on. */
export type Asked = { readonly id: number; readonly push: readonly SyncedEvent[] } | { readonly follow: number };

/** What the server says: that a push was taken, that others came first, or events. */
export type Told =
  | { readonly id: number; readonly head: number; readonly isTaken: boolean }
  | { readonly events: readonly SyncedEvent[] };

/** A client's end of the wire. */
export class Wire {
  readonly #socket: Socket;
  readonly #pushes = new Map<number, (answer: { head: number; isTaken: boolean }) => void>();
  #take: (events: readonly SyncedEvent[]) => void = () => undefined;
  #last = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    createInterface(socket).on("line", (line) => this.#hear(JSON.parse(line) as Told));
  }

  static open(port: number): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(new Wire(socket)));
      socket.once("error", reject);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Offers events; they are taken as they are or not at all. */
  push(push: readonly SyncedEvent[]): Promise<{ head: number; isTaken: boolean }> {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve) => {
      this.#pushes.set(id, resolve);
      this.#say({ id, push });
    });
  }

  /** Has every event behind this number told, in order. */
  follow(behind: number, take: (events: readonly SyncedEvent[]) => void): void {
    this.#take = take;
    this.#say({ follow: behind });
  }

  #say(asked: Asked): void {
    this.#socket.write(`${JSON.stringify(asked)}\n`);
  }

  #hear(told: Told): void {
    if ("events" in told) return this.#take(told.events);
    this.#pushes.get(told.id)?.(told);
    this.#pushes.delete(told.id);
  }
}
