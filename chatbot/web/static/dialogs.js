/** What opens above the page: why an answer was given, what was taught, and being forgotten. */

import { text, the } from "./page.js";

const why = /** @type {HTMLDialogElement} */ (the("#why"));
const lessons = /** @type {HTMLDialogElement} */ (the("#lessons"));
const forget = /** @type {HTMLDialogElement} */ (the("#forget"));
const forgotten = /** @type {HTMLDialogElement} */ (the("#forgotten"));
const menu = the("#menu");
const correction = /** @type {HTMLTextAreaElement} */ (the("#correction"));

/** @typedef {{number: number, prompt: string, reply: string}} Lesson */

let confirmed = false; // that Diego is to forget
let asked = ""; // the prompt whose answer is asked about

/** Show why Diego answered so, and ask for a better answer. @param {import("./turns.js").Turn} turn */
export function openWhy(turn) {
  asked = turn.prompt;
  the(".prompt", why).textContent = turn.prompt;
  the(".given", why).textContent = turn.text;
  the(".receipt", why).textContent = turn.why || text("why_unknown");
  correction.value = "";
  open(why);
  why.scrollTop = 0;
}

/** Show what the visitor taught. */
export async function openLessons() {
  menu.hidePopover();
  open(lessons);
  await listLessons();
}

/** Ask whether that is meant. */
export function forgetMe() {
  menu.hidePopover();
  open(forget);
}

/** Say that it was done, unless it was asked for here. The page then begins anew, in whatever way the dialog is closed. */
export function tellForgotten() {
  if (confirmed) beginAnew();
  else forgotten.showModal();
}

function beginAnew() {
  location.replace("/");
}

forgotten.addEventListener("close", beginAnew);

the("form", why).addEventListener("submit", async (event) => {
  event.preventDefault();
  const taught = await api(why, "POST", "/conversation/lessons", { prompt: asked, reply: correction.value });
  if (taught) say(why, text("taught"));
});

the(".forget", forget).addEventListener("click", async () => {
  confirmed = true;
  confirmed = Boolean(await api(forget, "DELETE", "/conversation"));
  if (confirmed) beginAnew();
});

for (const button of document.querySelectorAll("[data-closes]")) {
  button.addEventListener("click", () => button.closest("dialog")?.close());
}

/** @returns {Promise<Lesson[]>} */
async function listLessons() {
  const found = await api(lessons, "GET", "/conversation/lessons");
  if (!found) return [];
  the(".none", lessons).hidden = found.lessons.length > 0;
  the(".list", lessons).replaceChildren(...found.lessons.map(lessonItem));
  return found.lessons;
}

/** @param {Lesson} lesson */
function lessonItem({ prompt, reply }) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = text("take_back");
  button.ariaLabel = text("take_back_of", { prompt });
  // The second click of two may find the next lesson here.
  button.addEventListener("click", (event) => event.detail < 2 && takeBack(prompt));
  item.append(quoted(prompt), quoted(reply), button);
  return item;
}

/** @param {string} words */
function quoted(words) {
  const element = document.createElement("p");
  element.dir = "auto";
  element.textContent = words;
  return element;
}

/** @param {string} prompt */
async function takeBack(prompt) {
  // Its number may be another one now, or that of another lesson.
  const lesson = (await listLessons()).find((one) => one.prompt === prompt);
  if (lesson && (await api(lessons, "DELETE", `/conversation/lessons/${lesson.number}`))) {
    await listLessons();
    say(lessons, text("taken_back", { prompt }));
  }
  the("[data-closes]", lessons).focus(); // the button that was pressed is gone
}

/** @param {HTMLDialogElement} dialog */
function open(dialog) {
  say(dialog, "");
  dialog.showModal();
}

/** @param {HTMLDialogElement} dialog @param {string} sentence */
function say(dialog, sentence) {
  the(".outcome", dialog).textContent = sentence;
}

/**
 * What the server answers; if it refuses or cannot be reached, the dialog says why and this is null.
 * @param {HTMLDialogElement} dialog
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
async function api(dialog, method, path, body) {
  try {
    const headers = body ? { "Content-Type": "application/json" } : undefined;
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    const answer = await response.json();
    if (response.ok) return answer;
    say(dialog, answer.error);
  } catch {
    say(dialog, text("failed"));
  }
  return null;
}
