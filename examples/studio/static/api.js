// Requests to our own server, and what it answers where something is wrong (RFC 9457).

export class Problem extends Error {
  /** `status` 0: there was no answer, so nobody knows whether the request was carried out. */
  constructor(status, problem = {}, pause = null) {
    super(problem.detail ?? "There was no answer.");
    this.status = status;
    this.code = problem.code ?? null;
    this.action = problem.action ?? null;
    this.retryable = status === 0 || problem.retryable === true;
    this.pause = pause;
  }
}

let ahead = 0;

/** The server's time in milliseconds: this device's clock may be wrong. */
export const now = () => Date.now() + ahead;

/** `body` is sent as JSON, or as it is if it is a file. */
export async function ask(path, { method = "GET", body, key, seconds = 30 } = {}) {
  const headers = { Accept: "application/json" };
  const isFile = body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] = isFile ? body.type || "application/octet-stream" : "application/json";
  if (key !== undefined) headers["Idempotency-Key"] = key;
  let answer, found;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined || isFile ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(seconds * 1000),
      cache: "no-store",
    });
    const date = Date.parse(answer.headers.get("Date") ?? "");
    if (Math.abs(date - Date.now()) > 2000) ahead = date - Date.now();
    found = await answer.json();
  } catch (error) {
    // Cut off on the way, or a gateway's page in place of an answer of ours.
    throw new Problem(answer !== undefined && answer.status < 500 && !answer.ok ? answer.status : 0);
  }
  if (answer.ok) return found;
  const pause = Number(answer.headers.get("Retry-After"));
  throw new Problem(answer.status, found, Number.isFinite(pause) && pause > 0 ? pause : null);
}
