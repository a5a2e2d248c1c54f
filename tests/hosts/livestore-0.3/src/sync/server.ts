/**
 * A sync server for one notebook, in the place of the product's: it puts the events of all clients in one order. Whoever
 * pushes events that do not follow on its last one has to take in the others' first, and to rebase its own; that is LiveStore's
 * part. It stands in where nothing real runs without a network; the stores on both sides are real.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Asked, SyncedEvent, Told } from "./wire.js";

export class SyncServer {
  /** All events, in their order; the first has the number 1. */
  readonly events: SyncedEvent[] = [];
  readonly #server: Server;
  readonly #followers = new Set<Socket>();
  readonly #latency_ms: number;

  /** Each message takes so long each way, on top of what it takes by itself. */
  constructor(latency_ms = 0) {
    this.#latency_ms = latency_ms;
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  /** The port on which it listens. */
  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => {
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#followers) socket.destroy();
  }

  #serve(socket: Socket): void {
    const end = (): void => void this.#followers.delete(socket);
    socket.on("close", end).on("error", end);
    createInterface(socket).on("line", (line) => {
      this.#later(() => this.#hear(socket, JSON.parse(line) as Asked));
    });
  }

  #hear(socket: Socket, asked: Asked): void {
    if ("follow" in asked) {
      this.#followers.add(socket);
      return this.#say(socket, { events: this.events.slice(asked.follow) });
    }
    const head = this.events.length;
    const isTaken = asked.push[0]?.seqNum === head + 1;
    if (isTaken) this.events.push(...asked.push);
    this.#say(socket, { id: asked.id, head, isTaken });
    // Its own come back to a client too: that is how it knows their place.
    if (isTaken) for (const follower of this.#followers) this.#say(follower, { events: asked.push });
  }

  #say(socket: Socket, told: Told): void {
    this.#later(() => socket.write(`${JSON.stringify(told)}\n`));
  }

  /** In order: timers of one length fire as they were set. */
  #later(act: () => void): void {
    if (this.#latency_ms === 0) act();
    else setTimeout(act, this.#latency_ms);
  }
}
