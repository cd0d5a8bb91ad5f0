/** What the operator's pages ask of the server. */

/** A sentence of the server's that says why it refused. */
export class Refused extends Error {
  /** @param {string} sentence @param {number} status */
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

const SECONDS = 10;

/**
 * What the server answers, null if there is nothing to say.
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>} fails with Refused, or with another error if the server cannot be reached
 */
export async function ask(method, path, body) {
  const headers = body ? { "Content-Type": "application/json" } : undefined;
  const signal = AbortSignal.timeout(1000 * SECONDS);
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal });
  if (response.status === 204) return null;
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.error, response.status);
  return answer;
}
