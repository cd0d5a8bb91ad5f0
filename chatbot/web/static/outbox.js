/** What was said and is not known to have arrived. It outlives a reload of the page, in this tab. */

const MOST = 50;

/** @typedef {{id: string, text: string}} Message */

export class Outbox {
  /** @type {Message[]} in order */
  waiting;

  /** @param {string} key under which it is kept */
  constructor(key) {
    this.key = key;
    this.waiting = read(key);
  }

  /** Put in what is said; null if there is no room. @param {string} text */
  add(text) {
    if (this.waiting.length >= MOST) return null;
    const message = { id: newId(), text };
    this.#keep([...this.waiting, message]);
    return message;
  }

  /** Take out what has arrived. @param {string | null} id */
  remove(id) {
    this.#keep(this.waiting.filter((message) => message.id !== id));
  }

  /** Take out everything. */
  clear() {
    this.#keep([]);
  }

  /** @param {Message[]} messages */
  #keep(messages) {
    this.waiting = messages;
    try {
      sessionStorage.setItem(this.key, JSON.stringify(messages));
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
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
