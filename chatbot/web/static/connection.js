/** A conversation's WebSocket, which comes back when it is lost. docs/protocol.md says what is on the wire. */

const PROTOCOL = "diego.v1+json";
const RETRY_SECONDS = [0.5, 1, 2, 4, 8, 15];
const OPEN_SECONDS = 10;
const STABLE_SECONDS = 5; // after which a connection counts as one that was there
const MOST_RESTARTING = 5; // attempts for which a server that said so is taken to be restarting
const QUIET_SECONDS = 20; // whoever is asked says at least that he is typing, and is then given time
const FORGOTTEN = 1000;
const RESTARTING = 1012;

/** @typedef {{type: string, [field: string]: any}} Frame */
/** @typedef {"connecting" | "connected" | "lost" | "restarting" | "forgotten"} State */

export class Connection {
  /** @type {WebSocket | null} */
  #socket = null;
  #losses = 0;
  #restarting = false;
  #waiting = 0;
  #settling = 0;
  #quiet = 0;

  /**
   * @param {object} told
   * @param {() => string} told.query what a new connection asks for
   * @param {(state: State) => void} told.state
   * @param {(frame: Frame) => void} told.frame
   * @param {() => boolean} told.busy whether a reply is under way
   */
  constructor(told) {
    this.told = told;
    // What is known at once need not be found out by waiting.
    addEventListener("offline", () => this.#lose("lost"));
    addEventListener("online", () => this.#retryNow());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#retryNow());
    addEventListener("pageshow", (event) => event.persisted && this.#retryNow());
  }

  get open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Send a frame, if there is a connection. @param {Frame} frame */
  send(frame) {
    if (!this.open) return;
    this.#socket?.send(JSON.stringify(frame));
    this.#watch();
  }

  /** Connect. */
  connect() {
    clearTimeout(this.#waiting);
    this.#waiting = 0;
    const url = new URL(`/conversation${this.told.query()}`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, PROTOCOL);
    this.#socket = socket;
    this.#settling = setTimeout(() => this.#lose("lost"), 1000 * OPEN_SECONDS);
    socket.onopen = () => {
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => (this.#losses = 0), 1000 * STABLE_SECONDS);
      this.told.state("connected");
    };
    socket.onmessage = (event) => {
      this.#restarting = false;
      this.#notQuiet();
      this.told.frame(JSON.parse(event.data));
      if (this.told.busy()) this.#watch();
    };
    socket.onclose = (event) => this.#closed(event.code);
  }

  #watch() {
    this.#quiet ||= setTimeout(() => this.#look(), 1000 * QUIET_SECONDS);
  }

  /** Nothing has come for long. To let go would cancel a reply that is only slow. */
  async #look() {
    const quiet = this.#quiet;
    const patient = this.told.busy() && (await isThere());
    if (quiet !== this.#quiet) return; // something came, or the connection was lost
    this.#notQuiet();
    if (patient) this.#watch();
    else this.#lose("lost");
  }

  #notQuiet() {
    clearTimeout(this.#quiet);
    this.#quiet = 0;
  }

  /** @param {number} code */
  #closed(code) {
    if (code === FORGOTTEN) {
      this.#socket = null;
      this.told.state("forgotten");
    } else {
      this.#restarting ||= code === RESTARTING;
      this.#lose(this.#restarting && this.#losses < MOST_RESTARTING ? "restarting" : "lost");
    }
  }

  /** Let go of the connection, and try again, later each time. Not all pages at the same moment. @param {State} state */
  #lose(state) {
    if (!this.#socket) return;
    clearTimeout(this.#settling);
    this.#notQuiet();
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
    const seconds = RETRY_SECONDS[Math.min(this.#losses, RETRY_SECONDS.length - 1)] ?? 0;
    this.#losses += 1;
    this.#waiting = setTimeout(() => this.connect(), 1000 * seconds * (0.5 + Math.random() / 2));
    this.told.state(state);
  }

  #retryNow() {
    if (this.#waiting) this.connect();
  }
}

/** Whether the server answers. */
async function isThere() {
  try {
    return (await fetch("/client-count", { signal: AbortSignal.timeout(1000 * OPEN_SECONDS) })).ok;
  } catch {
    return false;
  }
}
