/** The page that chats. */

import { Connection } from "./connection.js";
import { forgetMe, openLessons, openWhy } from "./dialogs.js";
import { Log } from "./log.js";
import * as outbox from "./outbox.js";
import { counted, text, the } from "./page.js";
import { Turns } from "./turns.js";

const PAGE = 30; // turns of the history at a time
const NEAR_TOP = 200; // px from the top where older turns are asked for
const NEAR_LIMIT = 0.9; // of the characters, from where on they are counted

const scroller = the(".scroller");
const composer = /** @type {HTMLFormElement} */ (the(".composer"));
const field = /** @type {HTMLTextAreaElement} */ (the("#message"));
const most = Number(field.dataset.most);

const log = new Log(scroller, the(".chip"));
const turns = new Turns(the(".turns"), { why: openWhy, again: writeAgain });
let historyKnown = false;
let olderAsked = 0;

const connection = new Connection({
  query: () => (historyKnown ? `?last_seq=${turns.last}` : ""),
  state: showState,
  frame: take,
});

/** @param {import("./connection.js").State} state */
function showState(state) {
  const shown = the(".state");
  if (state === "forgotten") {
    outbox.clear();
    /** @type {HTMLDialogElement} */ (the("#forgotten")).showModal();
    return;
  }
  shown.textContent = text(state);
  shown.dataset.state = state;
  olderAsked = 0;
  the(".older").hidden = true;
  if (state === "connected") {
    begin();
  } else {
    turns.interrupt();
    the(".count").textContent = "";
  }
}

/** Ask for what a new connection has to tell, and say what was typed meanwhile. */
function begin() {
  connection.send({ type: "count" });
  if (!historyKnown) connection.send({ type: "history", limit: PAGE });
  for (const message of outbox.all()) connection.send({ type: "message", ...message });
}

/** @param {import("./connection.js").Frame} frame */
function take(frame) {
  switch (frame.type) {
    case "count":
      the(".count").textContent = counted("count", frame.count);
      return;
    case "history":
      takeHistory(frame);
      break;
    case "typing":
      turns.think(frame.id, frame.prompt);
      log.isNew();
      break;
    case "reply":
      outbox.remove(frame.id);
      turns.put(/** @type {any} */ (frame));
      the(".announcer").textContent = frame.text;
      if (log.atEnd) turns.prune();
      log.isNew();
      break;
    default:
      // The answer to a command that was typed, or why a message has no reply.
      if (typeof frame.text !== "string" && frame.type !== "export") return;
      outbox.remove(frame.id);
      turns.note(frame.id, frame.text ?? JSON.stringify(frame.data, null, 1), frame.type === "error");
      the(".announcer").textContent = frame.text ?? "";
      log.isNew();
  }
  showEmpty();
}

/** @param {import("./connection.js").Frame} frame */
function takeHistory(frame) {
  for (const turn of frame.turns) outbox.remove(turn.id);
  const older = olderAsked > 0 && frame.turns.length > 0 && frame.turns[0].seq < olderAsked;
  const put = () => frame.turns.forEach((/** @type {any} */ turn) => turns.put(turn));
  the(".older").hidden = true;
  if (older) {
    olderAsked = 0;
    log.above(put);
  } else {
    put();
    if (historyKnown) log.isNew();
    else log.toEnd();
  }
  historyKnown = true;
  askOlder(); // if what is there does not fill the window
}

function askOlder() {
  if (scroller.scrollTop > NEAR_TOP || turns.first <= 1 || olderAsked) return;
  olderAsked = turns.first;
  the(".older").hidden = false;
  connection.send({ type: "history", before: turns.first, limit: PAGE });
}

function showEmpty() {
  the(".empty").hidden = !historyKnown || !turns.empty;
}

/** @param {string} said */
function say(said) {
  const message = outbox.add(said);
  if (!message) {
    notice(text("too_many"));
    return false;
  }
  turns.wait(message.id, said);
  connection.send({ type: "message", ...message });
  showEmpty();
  log.toEnd();
  return true;
}

/** @param {string} said */
function writeAgain(said) {
  field.value = said;
  resize();
  field.focus();
}

/** @param {string} sentence */
function notice(sentence) {
  const shown = the(".composer .notice");
  shown.textContent = sentence;
  shown.hidden = !sentence;
}

function characters() {
  return [...field.value.normalize("NFC").trim()].length;
}

function resize() {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
  const n = characters();
  notice(n > most ? text("too_long", { n, most }) : n > most * NEAR_LIMIT ? text("near_limit", { n, most }) : "");
  field.setAttribute("aria-invalid", String(n > most));
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const n = characters();
  if (n > 0 && n <= most && say(field.value.trim())) {
    field.value = "";
    resize();
  }
  field.focus();
});

field.addEventListener("input", resize);
field.addEventListener("keydown", (event) => {
  // An Enter that ends the writing of a Japanese word, say, is not one that sends.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    composer.requestSubmit();
  }
});

scroller.addEventListener("scroll", askOlder);

for (const button of document.querySelectorAll(".try")) {
  button.addEventListener("click", () => {
    say(button.textContent ?? "");
    field.focus();
  });
}

the("[data-opens=lessons]").addEventListener("click", openLessons);
the("[data-opens=forget]").addEventListener("click", forgetMe);

for (const message of outbox.all()) turns.wait(message.id, message.text);
if (matchMedia("(hover: hover)").matches) field.focus(); // on a phone, the keyboard would cover the page
connection.connect();
