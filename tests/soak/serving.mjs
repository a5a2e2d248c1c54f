// Notebooks that are executed all the time, and what became of every execution.

import { setTimeout as pause } from "node:timers/promises";

import { Notebook } from "../../node-binding/tests/helpers.mjs";

/** Notebooks that are open at the same time. */
const SEATS = 4;

/** Executions that are requested at once. */
const BATCH = 6;

/** A store of LiveStore keeps all that was ever committed, so a notebook is closed after so many and another one opened. */
const EXECUTIONS_A_STORE = 120;

/** A session is stopped and another one started after so many. */
const EXECUTIONS_A_SESSION = 30;

/** Between two requests the machine has time for others; an hour still comes to enough executions to tell a leak from drift. */
const LONGEST_PAUSE_MS = 400;

/** The least and the most bytes of a cell's source. */
const SOURCE_BYTES = [10, 100, 1000, 4000];

const cells = Object.fromEntries(SOURCE_BYTES.map((bytes) => [`c${bytes}`, `<p>${"x".repeat(bytes)}</p>`]));

export class Serving {
  /** Executions that were requested and have ended. */
  executions = 0;
  stores = 0;
  /** Executions that have not ended exactly once. */
  astray = [];
  /** What went otherwise than it should have. */
  troubles = [];
  #isOver = false;
  #calm = null;
  #busy = 0;
  #idle = () => undefined;
  #seats = [];

  begin() {
    this.#seats = Array.from({ length: SEATS }, () => this.#seat());
  }

  async end() {
    this.#isOver = true;
    await Promise.all(this.#seats);
  }

  /** Does something while nothing else is executed. */
  async alone(work) {
    let end;
    this.#calm = new Promise((over) => (end = over));
    try {
      if (this.#busy > 0) await new Promise((idle) => (this.#idle = idle));
      await work();
    } finally {
      this.#calm = null;
      end();
    }
  }

  /** Nothing is executed but what somebody does alone. */
  get isCalm() {
    return this.#calm !== null;
  }

  /** One notebook, opened and closed by itself, with one execution on it. */
  async once(whileOpen = async () => undefined) {
    const notebook = await Notebook.open(undefined, { cells });
    await notebook.start();
    await this.#execute(notebook, 1);
    await whileOpen();
    await this.#close(notebook);
  }

  async #seat() {
    while (!this.#isOver) {
      const notebook = await Notebook.open(undefined, { cells });
      try {
        await this.#serve(notebook);
      } catch (error) {
        this.troubles.push(`${notebook.id}: ${error.message}`);
      }
      await this.#close(notebook);
    }
  }

  async #serve(notebook) {
    let runtime = await notebook.start();
    while (!this.#isOver && notebook.completed.length < EXECUTIONS_A_STORE) {
      await this.#batch(notebook);
      if (notebook.completed.length % EXECUTIONS_A_SESSION === 0) {
        await runtime.stop();
        runtime = await notebook.start();
      }
      await pause(Math.random() * LONGEST_PAUSE_MS);
    }
  }

  async #batch(notebook) {
    while (this.#calm) await this.#calm;
    this.#busy += 1;
    try {
      await this.#execute(notebook, BATCH);
    } finally {
      this.#busy -= 1;
      if (this.#busy === 0) this.#idle();
    }
  }

  async #execute(notebook, count) {
    const first = notebook.completed.length;
    const ids = Array.from({ length: count }, (_, n) => `q${String(first + n).padStart(5, "0")}`);
    const names = Object.keys(cells);
    notebook.request(...ids.map((id, n) => [id, names[(first + n) % names.length]]));
    await notebook.untilCompleted(first + count);
    this.executions += count;
  }

  async #close(notebook) {
    await notebook.close();
    this.stores += 1;
    const requested = notebook.all("v1.ExecutionRequested").map(({ queueId }) => queueId);
    const ends = notebook.completed.map(({ queueId }) => queueId);
    const isAstray = (id) => ends.filter((end) => end === id).length !== 1;
    this.astray.push(...requested.filter(isAstray).map((id) => `${notebook.id} ${id}`));
  }
}
