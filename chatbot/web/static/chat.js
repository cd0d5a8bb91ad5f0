/** The page that chats. */

import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { forgetMe, openLessons, openWhy, tellForgotten } from "./dialogs.js";
import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { announce, counted, text, the } from "./page.js";
import { Turns } from "./turns.js";

const PAGE = 30; // turns of the history at a time
const NEAR_TOP = 200; // px from the top where older turns are asked for

const scroller = the(".scroller");
const log = new Log(scroller, the(".chip"));
const outbox = new Outbox("diego.outbox", ({ id, text }) => connection.send({ type: "message", id, text }));
const composer = new Composer(the(".composer"), say);
const turns = new Turns(the(".turns"), { why: openWhy, again: (prompt) => composer.write(prompt) });
let historyKnown = false;
let olderAsked = false;
let askingAgain = 0;

const connection = new Connection({
  query: () => (historyKnown ? `?last_seq=${turns.last}` : ""),
  state: showState,
  frame: take,
  busy: () => turns.thinking,
});

/** @param {import("./connection.js").State} state */
function showState(state) {
  const shown = the(".state");
  if (state === "forgotten") {
    outbox.clear();
    tellForgotten();
    return;
  }
  shown.textContent = text(state);
  shown.dataset.state = state;
  olderCame();
  if (state === "connected") {
    begin();
    outbox.connected();
  } else {
    turns.interrupt();
    // A command may have been carried out, and to take back lesson 1 twice is to take back another one.
    for (const command of outbox.lost()) turns.note(command.id, text("failed"), true);
    the(".count").textContent = "";
  }
}

/** Ask for what a new connection has to tell, and again if that was refused: what matters most comes first. */
function begin() {
  clearTimeout(askingAgain);
  if (!historyKnown) connection.send({ type: "history", limit: PAGE });
  else askOlder();
  connection.send({ type: "count" });
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
      takeReply(/** @type {any} */ (frame));
      break;
    case "error":
      if (frame.retry_after) {
        later(frame.id, frame.retry_after);
        break;
      }
    // falls through
    default:
      // The answer to a command that was typed, or why a message has no reply.
      if (typeof frame.text !== "string" && frame.type !== "export") return;
      if (frame.type === "error" && !frame.id) olderCame(); // maybe it says that they cannot be had
      outbox.remove(frame.id);
      turns.note(frame.id, frame.text ?? JSON.stringify(frame.data, null, 1), frame.type === "error");
      if (frame.text) announce(frame.text);
      log.isNew();
  }
  showEmpty();
}

/** Diego has too much to do. @param {string | null} id @param {number} seconds */
function later(id, seconds) {
  if (outbox.waiting.some((message) => message.id === id)) {
    outbox.retry(seconds);
    if (turns.putOff(id, text("later"))) announce(text("later"));
  } else if (id) {
    turns.interrupt(); // it is another tab's, which says it again
  } else {
    olderCame();
    clearTimeout(askingAgain);
    askingAgain = setTimeout(begin, 1000 * (seconds + Math.random()));
  }
}

/** @param {import("./turns.js").Turn} turn */
function takeReply(turn) {
  outbox.remove(turn.id);
  if (historyKnown && !turns.includes(turn)) {
    location.reload(); // the visitor was forgotten while this page had no connection, and is another one now
    return;
  }
  grown([turn]);
}

/** Show turns that are new. @param {import("./turns.js").Turn[]} shown */
function grown(shown) {
  for (const turn of shown) {
    if (turns.put(turn)) announce(turn.text);
  }
  if (log.atEnd) turns.prune();
  log.isNew();
}

/** @param {import("./connection.js").Frame} frame */
function takeHistory(frame) {
  for (const turn of frame.turns) outbox.remove(turn.id);
  const put = () => frame.turns.forEach((/** @type {any} */ turn) => turns.put(turn));
  the(".older").hidden = true;
  if (historyKnown && frame.turns[0]?.seq < turns.first) {
    olderAsked = false;
    log.above(put);
  } else if (historyKnown) {
    grown(frame.turns);
  } else {
    put();
    log.toEnd();
  }
  historyKnown = true;
  askOlder(); // if what is there does not fill the window
}

function askOlder() {
  if (scroller.scrollTop > NEAR_TOP || turns.first <= 1 || olderAsked || !connection.open) return;
  olderAsked = true;
  the(".older").hidden = false;
  connection.send({ type: "history", before: turns.first, limit: PAGE });
}

function olderCame() {
  olderAsked = false;
  the(".older").hidden = true;
}

function showEmpty() {
  const greeting = the(".empty");
  const wasHidden = greeting.hidden;
  greeting.hidden = !historyKnown || !turns.empty;
  if (wasHidden && !greeting.hidden) log.toStart();
}

/** @param {string} said @returns {boolean} whether it is taken */
function say(said) {
  const message = outbox.add(said, said.startsWith("/"));
  if (!message) {
    composer.notice(text("too_many"));
    return false;
  }
  turns.wait(message.id, said);
  showEmpty();
  log.toEnd();
  return true;
}

scroller.addEventListener("scroll", askOlder);

for (const button of document.querySelectorAll(".try")) {
  button.addEventListener("click", () => {
    say(button.textContent ?? "");
    composer.focus();
  });
}

the("[data-opens=lessons]").addEventListener("click", openLessons);
the("[data-opens=forget]").addEventListener("click", forgetMe);

for (const message of outbox.waiting) turns.wait(message.id, message.text);
composer.focusUnlessKeyboardCovers();
connection.connect();
