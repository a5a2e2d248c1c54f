/** A network that answers what a step says. */

/** A request as recordings show it. */
export interface FetchedRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of the body. */
  readonly bytes: number;
}

/** What a request is answered with, or the message with which it fails. */
type Answer = { readonly networkError: string } | { readonly body: string; readonly init: ResponseInit };

const OK = 200;
const STORED = { artifactId: "art-1" };

/** The answer of a step: an artifact is stored unless it says otherwise. */
export const toAnswer = (response: Record<string, unknown> = { json: STORED }): Answer => {
  const { networkError, status = OK, statusText = "", json, body = "" } = response;
  if (networkError !== undefined) return { networkError: String(networkError) };
  const text = json === undefined ? String(body) : JSON.stringify(json);
  return { body: text, init: { status: Number(status), statusText: String(statusText) } };
};

/** Runs with a `fetch` that tells what is requested and answers it. */
export const answeringWith = async <T>(
  answer: Answer,
  tell: (request: FetchedRequest) => void,
  work: () => Promise<T>,
): Promise<T> => {
  const { fetch } = globalThis;
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const { byteLength: bytes } = await request.clone().arrayBuffer();
    tell({ url: request.url, method: request.method, headers: Object.fromEntries(request.headers), bytes });
    if ("networkError" in answer) throw new TypeError(answer.networkError);
    return new Response(answer.body, answer.init);
  };
  try {
    return await work();
  } finally {
    globalThis.fetch = fetch;
  }
};
