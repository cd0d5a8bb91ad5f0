/** The room, in which everybody sees what everybody says. docs/room.md says what is on the wire. */

import { Composer } from "./composer.js";
import { Log } from "./log.js";
import { DIEGO, listed, Messages, readable } from "./messages.js";
import { Outbox } from "./outbox.js";
import { announce, counted, text, the } from "./page.js";

const { io } = /** @type {{io: typeof import("socket.io-client").io}} */ (/** @type {unknown} */ (globalThis));

const NAME = "diego.name"; // under which the name is kept, for this tab's next visit and this browser's
const SHOWN_SECONDS = 5; // for which somebody is shown as typing
const MOST_RESTARTING = 5; // attempts for which a server that said so is taken to be restarting
const TYPING_SECONDS = 2; // how often that is told at most
const ACKNOWLEDGE_SECONDS = 10; // after which a message is sent again

const log = new Log(the(".scroller"), the(".chip"));
const outbox = new Outbox("diego.room.outbox", send);
const composer = new Composer(the(".composer"), say, tellTyping);
const messages = new Messages(the(".turns"), (words) => composer.write(words));
const state = the(".state");
const nameField = /** @type {HTMLInputElement} */ (the("#name"));

/** @typedef {{number?: number, error?: string, retry_after?: number}} Acknowledgement */

/** @type {Set<string>} */
const people = new Set();
/** @type {Map<string, number>} who is typing, and the timer that ends it */
const typing = new Map();
let toldTyping = -Infinity;

const socket = io({
  path: "/sio/socket.io",
  auth: (give) => give({ name: nameField.value }),
  autoConnect: false,
  transports: ["websocket", "polling"],
  tryAllTransports: true,
  reconnectionDelay: 500,
  reconnectionDelayMax: 15_000,
});

socket.on("welcome", (/** @type {{name: string, people: string[]}} */ welcome) => {
  messages.name = nameField.value = welcome.name;
  remember(welcome.name);
  people.clear();
  for (const name of welcome.people) people.add(name);
  showPeople();
  enter();
  outbox.connected();
});

socket.on("history", (history) => {
  messages.replace(history.messages);
  log.isNew();
});

socket.on("response", (message) => {
  stopTyping(message.name);
  if (!messages.put(message)) return;
  if (message.name !== messages.name) announce(`${readable(message.name)}: ${message.text}`);
  grown();
});

socket.on("joined", ({ name }) => {
  people.add(name);
  tellPresence("joined", name);
});

socket.on("left", ({ name }) => {
  people.delete(name);
  stopTyping(name);
  tellPresence("left", name);
});

socket.on("typing", ({ name }) => {
  clearTimeout(typing.get(name));
  typing.set(
    name,
    setTimeout(() => stopTyping(name), 1000 * SHOWN_SECONDS),
  );
  showTyping();
});

socket.on("draining", () => showState("restarting"));
socket.on("disconnect", (reason) => {
  outbox.lost();
  if (reason === "io server disconnect") {
    remember("");
    stayOutside(text("forgotten")); // which is why the server does that
  } else {
    showLost(0);
  }
});
socket.on("connect_error", (error) => {
  // A connection that the server refused is not tried again by itself.
  if (!socket.active) stayOutside(error.message);
});
socket.io.on("reconnect_attempt", showLost);

the(".join").addEventListener("submit", (event) => {
  event.preventDefault();
  join();
});

the(".leave").addEventListener("click", () => {
  socket.disconnect();
  outbox.clear(); // it would be said under the next name
  remember("");
  location.reload();
});

function join() {
  the("#join-outcome").textContent = "";
  showState("connecting");
  socket.connect();
}

/** Show the room. */
function enter() {
  const wasOutside = the(".composer").hidden;
  showState("connected");
  the(".empty").hidden = true;
  for (const selector of [".composer", ".leave", "aside"]) the(selector).hidden = false;
  if (wasOutside) composer.focusUnlessKeyboardCovers();
}

/** Show the door, and why. @param {string} sentence */
function stayOutside(sentence) {
  state.hidden = true;
  the(".empty").hidden = false;
  for (const selector of [".composer", ".leave", "aside"]) the(selector).hidden = true;
  the("#join-outcome").textContent = sentence;
  nameField.focus();
}

/** @param {string} words @returns {boolean} whether it is taken */
function say(words) {
  const message = outbox.add(words);
  if (!message) {
    composer.notice(text("too_many"));
    return false;
  }
  messages.wait(message.id, message.text);
  log.toEnd();
  return true;
}

/** Send a message until it is known to have arrived. @param {import("./outbox.js").Message} message */
function send(message) {
  const sent = socket.timeout(1000 * ACKNOWLEDGE_SECONDS);
  sent.emit("message", message, (/** @type {Error | null} */ error, /** @type {Acknowledgement} */ answer) => {
    if (error) {
      if (socket.connected) send(message); // else it is sent over the next connection
    } else if (answer.retry_after) {
      outbox.retry(answer.retry_after);
      if (messages.putOff(message.id, text("later"))) announce(text("later"));
    } else {
      take(message.id, answer.error);
    }
  });
}

/** Take an acknowledgement. @param {string} id @param {string} [error] */
function take(id, error) {
  outbox.remove(id);
  if (error) {
    messages.refuse(id, error);
    announce(error);
    log.isNew();
  } else {
    messages.arrived(id);
  }
}

function tellTyping() {
  if (performance.now() - toldTyping < 1000 * TYPING_SECONDS || !socket.connected) return;
  toldTyping = performance.now();
  socket.volatile.emit("typing");
}

/** @param {string} name */
function stopTyping(name) {
  clearTimeout(typing.get(name));
  if (typing.delete(name)) showTyping();
}

function showTyping() {
  const names = [...typing.keys()];
  the(".typing").textContent = names.length ? counted("typing", names.length, { names: listed(names) }) : "";
}

/** @param {"joined" | "left"} kind @param {string} name */
function tellPresence(kind, name) {
  messages.tell(kind, name);
  showPeople();
  grown();
}

/** See to it that the page does not grow for ever, and that what is new is seen. */
function grown() {
  if (log.atEnd) messages.prune();
  log.isNew();
}

function showPeople() {
  const sorted = [...people].sort((a, b) => Number(b === DIEGO) - Number(a === DIEGO) || a.localeCompare(b));
  the(".people").replaceChildren(...sorted.map(person));
}

/** @param {string} name */
function person(name) {
  const item = document.createElement("li");
  item.dir = "auto";
  item.textContent = readable(name);
  item.classList.toggle("own", name === messages.name);
  item.classList.toggle("diegos", name === DIEGO);
  return item;
}

/** A server that said so is taken to be restarting for some attempts. @param {number} attempts */
function showLost(attempts) {
  if (state.dataset.state !== "restarting" || attempts > MOST_RESTARTING) showState("lost");
}

/** @param {string} shown */
function showState(shown) {
  state.hidden = false;
  state.textContent = text(shown);
  state.dataset.state = shown;
}

/** Keep the name. This tab comes in by itself when it is loaded again; others are only offered it. @param {string} name */
function remember(name) {
  try {
    sessionStorage.setItem(NAME, name);
    if (name) localStorage.setItem(NAME, name);
  } catch {
    // It is not allowed: the name is then asked for each time.
  }
}

/** @param {"sessionStorage" | "localStorage"} storage */
function remembered(storage) {
  try {
    return window[storage].getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

for (const message of outbox.waiting) messages.wait(message.id, message.text);
nameField.value = remembered("sessionStorage") || remembered("localStorage");
if (remembered("sessionStorage")) join();
else nameField.focus();
