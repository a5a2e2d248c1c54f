import { addon } from "./internal/addon";
import { messageOf } from "./internal/errors";

/** What is told of an artifact when it is submitted. */
export interface ArtifactSubmissionOptions {
  /** The notebook that it belongs to. */
  notebookId: string;
  /** What proves who submits it. */
  authToken: string;
  mimeType?: string;
  /** For people; the service is not told. */
  filename?: string;
}

/** The service's answer to a submission. */
export interface ArtifactSubmissionResult {
  artifactId: string;
}

interface ArtifactRequest {
  url: string;
  method: string;
  headers: Record<string, string>;
}

const PNG = "image/png";

/** As many bytes as tell a PNG file. */
const PNG_SIGNATURE_BYTES = 8;

/** Keeps large representations at the artifact service. The core says what to request and what an answer means. */
export class ArtifactClient {
  readonly baseUrl: string;

  constructor(baseUrl: string = addon().defaultArtifactBaseUrl()) {
    this.baseUrl = baseUrl;
  }

  /** Submits content; a PNG, which it counts as unless `mimeType` says otherwise, is checked before it is sent. */
  async submitContent(data: Uint8Array, options: ArtifactSubmissionOptions): Promise<ArtifactSubmissionResult> {
    if ((options.mimeType ?? PNG) === PNG) checkPng(data);
    return this.submitArtifact(data, options);
  }

  /** Submits a PNG given as base64. */
  async submitPngFromBase64(base64: string, options: ArtifactSubmissionOptions): Promise<ArtifactSubmissionResult> {
    return this.submitArtifact(decoded(base64), { mimeType: PNG, ...options });
  }

  /** Submits content as it is. */
  async submitArtifact(data: Uint8Array, options: ArtifactSubmissionOptions): Promise<ArtifactSubmissionResult> {
    const { url, ...request } = parsed(addon().artifactSubmission(this.baseUrl, JSON.stringify(options)));
    // A view of shared memory is no body; a copy always is one.
    const response = await fetch(url, { ...request, body: new Uint8Array(data) });
    if (!response.ok) throw new Error(addon().submissionFailure(await response.text()));
    return (await response.json()) as ArtifactSubmissionResult;
  }

  /** The content of an artifact. */
  async retrieveArtifact(artifactId: string): Promise<Uint8Array> {
    const { url, ...request } = parsed(addon().artifactRetrieval(this.baseUrl, artifactId));
    const response = await fetch(url, request);
    if (!response.ok) throw new Error(addon().retrievalFailure(artifactId, response.status, response.statusText));
    return new Uint8Array(await response.arrayBuffer());
  }
}

/**
 * A bundle of representations by mime type in the form in which it is stored: JSON types hold values, every other type a text,
 * and what is null or undefined is left out.
 */
export function validateMediaBundle(bundle: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return JSON.parse(addon().normaliseMediaBundle(JSON.stringify(bundle))) as Record<string, unknown>;
}

function parsed(request: string): ArtifactRequest {
  return JSON.parse(request) as ArtifactRequest;
}

function checkPng(data: Uint8Array): void {
  const message = addon().pngFailure(new Uint8Array(data.subarray(0, PNG_SIGNATURE_BYTES)));
  if (message !== null) throw new Error(message);
}

/** The bytes of a PNG in base64. */
function decoded(base64: string): Uint8Array {
  try {
    const data = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    checkPng(data);
    return data;
  } catch (error) {
    throw new Error(addon().base64Failure(messageOf(error)), { cause: error });
  }
}
