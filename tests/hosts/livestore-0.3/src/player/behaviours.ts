/** The runtime of a host: a trivial subclass whose hooks do what a trace says. */
import {
  BaseRuntime,
  type RuntimeCapabilities,
  type RuntimeConfiguration,
  type RuntimeMetadata,
} from "runtime-bridge/legacy";
import type { JsonValue } from "../store.js";
import { isObject, StepError } from "./trace.js";

/** What one call of a hook does, in this order; it returns if nothing else is said. */
interface Deed {
  readonly setError?: string;
  /** Milliseconds. */
  readonly sleep?: number;
  readonly hang?: boolean;
  /** Thrown as it is. */
  readonly thrown?: { readonly value: unknown };
}

/** One deed a call; the last one repeats. */
export interface Behaviour {
  readonly doStart: readonly Deed[];
  readonly doStop: readonly Deed[];
}

/** What the subclass needs of the player. */
export interface Witness {
  observe(kind: string, fields: Record<string, unknown>): void;
  sleep(ms: number): Promise<void>;
}

const HINT = "a behaviour has doStart and doStop: ok, sleep, throw, throwString, throwNull, setError or hang";

const DEEDS: Readonly<Record<string, (value: JsonValue) => Deed>> = {
  sleep: (ms) => ({ sleep: Number(ms) }),
  throw: (message) => ({ thrown: { value: new Error(String(message)) } }),
  throwString: (text) => ({ thrown: { value: String(text) } }),
  throwNull: () => ({ thrown: { value: null } }),
  setError: (message) => ({ setError: String(message) }),
  hang: (isSo) => ({ hang: isSo !== false }),
};

const deed = (value: JsonValue): Deed => {
  if (value === "ok") return {};
  if (!isObject(value)) throw new StepError(`unknown behaviour \`${JSON.stringify(value)}\``, HINT);
  const parts = Object.entries(value).map(([name, of]) => {
    const known = Object.hasOwn(DEEDS, name) ? DEEDS[name] : undefined;
    if (known === undefined) throw new StepError(`unknown behaviour \`${name}\``, HINT);
    return known(of);
  });
  return Object.assign({}, ...parts) as Deed;
};

const deeds = (value: JsonValue = "ok"): Deed[] => (Array.isArray(value) ? value.map(deed) : [deed(value)]);

/** Understands the behaviour of a trace. */
export const toBehaviour = (value: JsonValue = {}): Behaviour => {
  if (!isObject(value)) throw new StepError("the behaviour is no object", HINT);
  const unknown = Object.keys(value).find((hook) => hook !== "doStart" && hook !== "doStop");
  if (unknown !== undefined) throw new StepError(`unknown hook \`${unknown}\``, HINT);
  return { doStart: deeds(value["doStart"]), doStop: deeds(value["doStop"]) };
};

const METADATA: RuntimeMetadata = {
  id: "test-runtime",
  name: "Test Agent",
  description: "trivial subclass",
  icon: "T",
  type: "html",
  version: "1.0.0",
  isLocal: true,
  isAvailable: true,
  priority: 50,
};

const CAPABILITIES: RuntimeCapabilities = { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false };

export class TestRuntime extends BaseRuntime {
  readonly #remaining: { doStart: Deed[]; doStop: Deed[] };
  readonly #witness: Witness;

  constructor(
    metadata: Partial<RuntimeMetadata>,
    config: RuntimeConfiguration | undefined,
    { doStart, doStop }: Behaviour,
    witness: Witness,
  ) {
    super({ ...METADATA, ...metadata }, { ...CAPABILITIES }, config);
    this.#remaining = { doStart: [...doStart], doStop: [...doStop] };
    this.#witness = witness;
  }

  protected override async doStart(notebookId: string, config: RuntimeConfiguration): Promise<void> {
    this.#observe("doStart", { notebookId, config });
    await this.#do(this.#remaining.doStart);
  }

  protected override async doStop(): Promise<void> {
    this.#observe("doStop", {});
    await this.#do(this.#remaining.doStop);
  }

  #observe(hook: string, fields: Record<string, unknown>): void {
    this.#witness.observe("hook", { runtime: this.metadata.id, hook, ...fields, stateDuring: this.getState() });
  }

  async #do(remaining: Deed[]): Promise<void> {
    const next = (remaining.length > 1 ? remaining.shift() : remaining[0]) ?? {};
    if (next.setError !== undefined) this.setError(next.setError);
    if (next.sleep !== undefined) await this.#witness.sleep(next.sleep);
    if (next.hang === true) await new Promise<never>(() => undefined);
    if (next.thrown !== undefined) throw next.thrown.value;
  }
}
