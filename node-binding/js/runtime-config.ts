import { ArtifactClient } from "./artifacts";
import { addon } from "./internal/addon";
import { report } from "./internal/bridge";
import { wallMs } from "./internal/clock";
import type { Capabilities } from "./types";

/** What a host says of the agent that it wants. */
export interface RuntimeAgentOptions {
  /** The agent across its sessions. */
  runtimeId: string;
  /** The name of its runtime type, `html` for instance. */
  runtimeType: string;
  capabilities: Capabilities;
  /** The sync service, `wss://…`; the artifact service is on the same host. */
  syncUrl: string;
  /** What proves to both services who it is. */
  authToken: string;
  notebookId: string;
  /** The user on whose behalf it runs. */
  userId: string;
  /** The LiveStore adapter of its store. */
  adapter?: unknown;
  /** Bytes of an image up to which it stays inline; 6144 unless set. */
  imageArtifactThresholdBytes?: number;
  /** The artifact service, where it is not the one beside the sync service. */
  artifactClient?: ArtifactClient;
}

/** The configuration of one agent's session: the options, and what follows from them. */
export class RuntimeConfig {
  readonly runtimeId: string;
  readonly runtimeType: string;
  readonly capabilities: Capabilities;
  readonly syncUrl: string;
  readonly authToken: string;
  readonly notebookId: string;
  readonly userId: string;
  readonly adapter: unknown;
  /** Bytes of an image up to which it stays inline. */
  readonly imageArtifactThresholdBytes: number;
  readonly artifactClient: ArtifactClient;
  /** The session's id, `<runtimeType>-<runtimeId>-<epoch ms>-<random>`, drawn when the configuration is made. */
  readonly sessionId: string;

  constructor(options: RuntimeAgentOptions) {
    this.runtimeId = options.runtimeId;
    this.runtimeType = options.runtimeType;
    this.capabilities = options.capabilities;
    this.syncUrl = options.syncUrl;
    this.authToken = options.authToken;
    this.notebookId = options.notebookId;
    this.userId = options.userId;
    this.adapter = options.adapter;
    this.imageArtifactThresholdBytes = options.imageArtifactThresholdBytes ?? addon().defaultImageArtifactThresholdBytes();
    this.artifactClient = options.artifactClient ?? new ArtifactClient(artifactBaseUrl(options.syncUrl));
    this.sessionId = addon().agentSessionId(this.#required(), wallMs());
  }

  /** Throws one error that lists every missing option with a suggestion. The sync URL and the user are not looked at. */
  validate(): void {
    const message = addon().validateConfig(this.#required());
    if (message !== null) throw new Error(message);
  }

  /** What the core decides by, as JSON. */
  #required(): string {
    const { authToken, notebookId, runtimeId, runtimeType } = this;
    return JSON.stringify({ authToken, notebookId, runtimeId, runtimeType });
  }
}

/** The artifact service on the host of the sync service. */
function artifactBaseUrl(syncUrl: string): string {
  if (URL.canParse(syncUrl)) {
    const { protocol, host } = new URL(syncUrl);
    return addon().deriveArtifactBaseUrl(JSON.stringify({ protocol, host }));
  }
  const service = addon().deriveArtifactBaseUrl("null");
  report({
    level: "warning",
    code: "SYNC_URL_UNREADABLE",
    message: `artifacts go to ${service}: the sync URL cannot be read: \`${syncUrl}\``,
    help: "give a sync URL such as wss://host, or an artifactClient",
  });
  return service;
}
