/** What was said and is not known to have arrived, which is sent one after the other. It outlives a reload, in this tab. */

const MOST = 50;

/** @typedef {{id: string, text: string, once?: boolean}} Message */

export class Outbox {
  /** @type {Message[]} in order */
  waiting;
  #connected = false;
  /** @type {string | null} the id of what is on the way */
  #sent = null;
  #later = 0;

  /**
   * @param {string} key under which it is kept
   * @param {(message: Message) => void} send what to do with a message when it is its turn
   */
  constructor(key, send) {
    this.key = key;
    this.send = send;
    this.waiting = read(key);
  }

  /**
   * Put in what is said; null if there is no room. `once` is for what is sent on this connection or not at all; if there is
   * none, on the next.
   * @param {string} text
   * @param {boolean} [once]
   */
  add(text, once = false) {
    if (this.waiting.length >= MOST) return null;
    const message = { id: newId(), text, ...(once && { once }) };
    this.#keep([...this.waiting, message]);
    this.#next();
    return message;
  }

  /** Take out what has arrived. @param {string | null} id */
  remove(id) {
    this.#keep(this.waiting.filter((message) => message.id !== id));
    if (id === this.#sent) this.#sent = null;
    this.#next();
  }

  /** Send it again, and what is behind it, after so many seconds. Not all pages at the same moment. @param {number} seconds */
  retry(seconds) {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.connected(), 1000 * (seconds + Math.random()));
  }

  /** There is a connection. What was on the way over another one is sent again. */
  connected() {
    this.#stop();
    this.#connected = true;
    this.#next();
  }

  /** The connection is lost, or none came. What is not sent over another one is taken out. @returns {Message[]} that */
  lost() {
    this.#stop();
    this.#connected = false;
    const given = this.waiting.filter((message) => message.once);
    if (given.length) this.#keep(this.waiting.filter((message) => !message.once));
    return given;
  }

  /** Take out everything. */
  clear() {
    this.#keep([]);
    this.#stop();
  }

  #stop() {
    clearTimeout(this.#later);
    this.#later = 0;
    this.#sent = null;
  }

  #next() {
    const first = this.waiting[0];
    if (!first || !this.#connected || this.#sent || this.#later) return;
    this.#sent = first.id;
    this.send(first);
  }

  /** @param {Message[]} messages */
  #keep(messages) {
    this.waiting = messages;
    try {
      sessionStorage.setItem(this.key, JSON.stringify(messages.filter((message) => !message.once)));
    } catch {
      // It is full or not allowed: what is waiting is then lost with the page.
    }
  }
}

/** @param {string} key @returns {Message[]} */
function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "[]");
  } catch {
    return [];
  }
}

/** 128 random bits. `crypto.randomUUID` is not there on a page without TLS that comes from another machine. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
