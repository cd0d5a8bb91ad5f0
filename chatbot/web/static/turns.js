/** The turns of a conversation in the order of their numbers, then what has no reply yet. */

import { change, showTime, text, the } from "./page.js";
import { show } from "./text.js";

const MOST = 500; // turns on the page; older ones are asked for again when somebody scrolls there

/** @typedef {{seq: number, id: string | null, prompt: string, text: string, confidence: number, why: string, said_at: number}} Turn */

export class Turns {
  /** @type {Map<number, {turn: Turn, element: HTMLElement}>} by their numbers, in no order */
  #kept = new Map();
  /** @type {Map<string, HTMLElement>} what was said in this tab and has no reply, by the id of the message */
  #waiting = new Map();
  /** @type {HTMLElement | null} what Diego is thinking about */
  #thinking = null;
  first = 0;
  last = 0;

  /**
   * @param {HTMLElement} list
   * @param {object} asked
   * @param {(turn: Turn, button: HTMLElement) => void} asked.why what to do when somebody wants to know why
   * @param {(prompt: string) => void} asked.again what to do when somebody wants to write a message again
   */
  constructor(list, asked) {
    this.list = list;
    this.asked = asked;
  }

  get empty() {
    return this.list.childElementCount === 0;
  }

  get thinking() {
    return this.#thinking !== null;
  }

  /** Show what was just said in this tab. @param {string} id @param {string} prompt */
  wait(id, prompt) {
    const element = this.#make(prompt, "waiting");
    this.#waiting.set(id, element);
    this.list.append(element);
  }

  /** Show that Diego is thinking about a message, maybe of another tab. @param {string | null} id @param {string} prompt */
  think(id, prompt) {
    const element = this.#waiting.get(id ?? "") ?? this.#make(prompt);
    element.className = "turn thinking";
    element.dataset.id = id ?? "";
    the(".reply", element).replaceChildren(dots());
    this.#thinking = element;
    this.#insert(element, Infinity);
  }

  /** Whether a turn is the next one, or one that is here. Otherwise it is of another conversation. @param {Turn} turn */
  includes(turn) {
    return turn.seq === this.last + 1 || this.#kept.get(turn.seq)?.turn.said_at === turn.said_at;
  }

  /** Show a turn in its place; false if it is there. @param {Turn} turn */
  put(turn) {
    if (this.#kept.has(turn.seq)) return false;
    const element = this.#take(turn.id) ?? this.#make(turn.prompt);
    element.className = "turn";
    element.dataset.seq = String(turn.seq);
    show(the(".said", element), turn.prompt);
    show(the(".reply", element), turn.text);
    showTime(the("time", element), turn.said_at);
    const why = the(".ask-why", element);
    why.onclick = () => this.asked.why(turn, why);
    this.#insert(element, turn.seq);
    this.#kept.set(turn.seq, { turn, element });
    this.first = this.first ? Math.min(this.first, turn.seq) : turn.seq;
    this.last = Math.max(this.last, turn.seq);
    return true;
  }

  /**
   * Show a sentence in the place of a reply. What it is about is not kept.
   * @param {string | null} id
   * @param {string} sentence
   * @param {boolean} failed
   */
  note(id, sentence, failed) {
    const element = this.#take(id);
    if (!element) return;
    element.className = "turn noted";
    show(the(".reply", element), sentence);
    const again = the(".ask-why", element);
    again.textContent = text("write_again");
    again.hidden = !failed;
    again.onclick = () => this.asked.again(the(".said", element).dataset.prompt ?? "");
    this.#insert(element, Infinity);
  }

  /**
   * Show a sentence under a message that is sent again later; false if it stands there.
   * @param {string | null} id
   * @param {string} sentence
   */
  putOff(id, sentence) {
    const element = this.#waiting.get(id ?? "");
    if (!element) return false;
    if (element === this.#thinking) this.#thinking = null;
    element.className = "turn waiting";
    return change(the(".unsent", element), sentence);
  }

  /** Diego no longer thinks about anything: the connection is lost. */
  interrupt() {
    const element = this.#thinking;
    this.#thinking = null;
    if (!element) return;
    if (this.#waiting.has(element.dataset.id ?? "")) element.className = "turn waiting";
    else element.remove();
  }

  /** Take the oldest off the page if there are many, with the sentences between them. */
  prune() {
    if (this.#kept.size <= MOST) return;
    while (this.#kept.size > MOST) {
      const oldest = /** @type {HTMLElement} */ (this.list.firstElementChild);
      oldest.remove();
      this.#kept.delete(Number(oldest.dataset.seq));
    }
    this.first = Math.min(...this.#kept.keys());
  }

  /** The element of a message that has no reply yet; from now on it is none of those. @param {string | null} id */
  #take(id) {
    const thinking = this.#thinking?.dataset.id === (id ?? "") ? this.#thinking : null;
    if (thinking) this.#thinking = null;
    const waiting = this.#waiting.get(id ?? "");
    this.#waiting.delete(id ?? "");
    return waiting ?? thinking;
  }

  /** Put an element before greater numbers, and before what Diego has not begun with. @param {HTMLElement} element @param {number} seq */
  #insert(element, seq) {
    const others = /** @type {HTMLElement[]} */ ([...this.list.children]).filter((other) => other !== element);
    const later = others.find((other) => other.classList.contains("waiting") || Number(other.dataset.seq) > seq);
    this.list.insertBefore(element, later ?? null);
  }

  /** @param {string} prompt @param {string} [state] */
  #make(prompt, state = "") {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("turn"));
    const element = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
    element.className = `turn ${state}`;
    const said = the(".said", element);
    said.dataset.prompt = prompt;
    show(said, prompt);
    return element;
  }
}

function dots() {
  const element = document.createElement("span");
  element.className = "dots";
  element.role = "img";
  element.ariaLabel = text("thinking");
  element.append(...[1, 2, 3].map(() => document.createElement("i")));
  return element;
}
