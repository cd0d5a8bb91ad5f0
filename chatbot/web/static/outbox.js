/** What was said and has no reply yet. It outlives a reload of the page, in this tab. */

const KEY = "diego.outbox";

export const MOST = 50;

/** @typedef {{id: string, text: string}} Message */

/** @type {Message[]} */
let waiting = read();

/** All, in order. */
export function all() {
  return waiting;
}

/** Put in what is said; null if there is no room. @param {string} text */
export function add(text) {
  if (waiting.length >= MOST) return null;
  const message = { id: newId(), text };
  keep([...waiting, message]);
  return message;
}

/** Take out what has a reply. @param {string | null} id */
export function remove(id) {
  keep(waiting.filter((message) => message.id !== id));
}

/** Take out everything. */
export function clear() {
  keep([]);
}

/** @param {Message[]} messages */
function keep(messages) {
  waiting = messages;
  try {
    sessionStorage.setItem(KEY, JSON.stringify(waiting));
  } catch {
    // It is full or not allowed: what is waiting is then lost with the page.
  }
}

/** @returns {Message[]} */
function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

/** 128 random bits. `crypto.randomUUID` is not there on a page without TLS that comes from another machine. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
