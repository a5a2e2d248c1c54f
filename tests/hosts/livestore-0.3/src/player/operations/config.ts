import {
  ArtifactClient,
  type ArtifactSubmissionOptions,
  type RuntimeAgentOptions,
  RuntimeConfig,
  validateMediaBundle,
} from "runtime-bridge";
import type { Args } from "../args.js";
import type { Player } from "../player.js";
import { StepError } from "../trace.js";
import { answeringWith, toAnswer } from "../fetched.js";
import type { Operations } from "./operation.js";

/** The options of the recordings' agent. */
const OPTIONS: RuntimeAgentOptions = {
  runtimeId: "agent-1",
  runtimeType: "html",
  capabilities: { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false },
  syncUrl: "wss://app.runt.run",
  authToken: "token-1",
  notebookId: "nb-main",
  userId: "user-1",
};

const configOf = (args: Args): RuntimeConfig =>
  new RuntimeConfig({ ...OPTIONS, ...(args.object("options") as Partial<RuntimeAgentOptions> | undefined) });

const sessionIdMatches = ({ runtimeType, runtimeId, sessionId }: RuntimeConfig): boolean => {
  const prefix = `${runtimeType}-${runtimeId}-`;
  return sessionId.startsWith(prefix) && /^\d{13}-[0-9a-z]+$/.test(sessionId.slice(prefix.length));
};

/** Content of a step: a text, or the bytes of a PNG, which arguments expand to base64. */
const contentOf = (args: Args): Uint8Array => {
  const text = args.text("data");
  return typeof args.raw["data"] === "string" ? new TextEncoder().encode(text) : Buffer.from(text, "base64");
};

const submissionOf = (args: Args): ArtifactSubmissionOptions =>
  (args.object("options") ?? {}) as unknown as ArtifactSubmissionOptions;

const METHODS: Readonly<Record<string, (client: ArtifactClient, args: Args) => Promise<unknown>>> = {
  submitContent: (client, args) => client.submitContent(contentOf(args), submissionOf(args)),
  submitArtifact: (client, args) => client.submitArtifact(contentOf(args), submissionOf(args)),
  submitPngFromBase64: (client, args) => client.submitPngFromBase64(args.text("base64"), submissionOf(args)),
  retrieveArtifact: async (client, args) => ({ $bytes: (await client.retrieveArtifact(args.text("id"))).byteLength }),
};

const methodOf = (name: unknown) => {
  const method = typeof name === "string" && Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (method !== undefined) return method;
  throw new StepError(`unknown method \`${String(name)}\``, `it has to be one of ${Object.keys(METHODS).join(", ")}`);
};

const callArtifactClient = (player: Player, args: Args): void => {
  const client = new ArtifactClient(args.optionalText("baseUrl"));
  const call = methodOf(args.raw["method"]);
  const answer = toAnswer(args.object("response"));
  player.calls(args, () =>
    answeringWith(
      answer,
      (request) => player.observe("http", { ...request }),
      () => call(client, args),
    ),
  );
};

export const CONFIG_OPERATIONS: Operations = {
  "validate-config": { args: ["options"], run: (player, args) => player.returns(() => configOf(args).validate()) },
  "config-fields": {
    args: ["options"],
    run(player, args) {
      player.returns(() => {
        const config = configOf(args);
        const { artifactClient, imageArtifactThresholdBytes: threshold } = config;
        return { sessionIdMatches: sessionIdMatches(config), artifactBaseUrl: artifactClient.baseUrl, threshold };
      });
    },
  },
  "validate-media": {
    args: ["bundle"],
    run: (player, args) => player.returns(() => validateMediaBundle(args.object("bundle") ?? {})),
  },
  "artifact-client": {
    args: ["method", "data", "base64", "id", "baseUrl", "options", "response"],
    check: (args) => void methodOf(args["method"]),
    run: callArtifactClient,
  },
};
