/** What operators decide on: questions to answer and lessons. What visitors wrote is shown as the text that it is. */

import { ask, Refused } from "./api.js";
import { counted, showTime, text, the } from "./page.js";

const PAGE = 10; // how many are shown at first, and how many more each time

/** @typedef {{id: string, prompt: string, reply: string, confidence: number, why: string, visitors: number, times: number, asked_at: number}} Question */
/** @typedef {{number: number, prompt: string, reply: string, taught_at: number, visitors: number}} Lesson */

/** @template Item */
class List {
  /** @type {Map<string, HTMLElement>} by the keys of the items */
  #shown = new Map();
  /** @type {Set<string>} what was decided on here; until the server knows, it may still name it */
  #done = new Set();
  /** @type {Item[]} */
  #items = [];
  #count = 0;
  #most = PAGE;

  /**
   * @param {string} name
   * @param {(item: Item) => string} key
   * @param {(item: Item) => HTMLElement} made
   * @param {(element: HTMLElement, item: Item) => void} updated
   */
  constructor(name, key, made, updated) {
    this.section = the(`[data-list=${name}]`);
    this.key = key;
    this.made = made;
    this.updated = updated;
    the(".more", this.section).addEventListener("click", () => {
      this.#most += PAGE;
      this.#draw();
    });
  }

  /** Show these; what is being written in those that stay is left alone. @param {Item[]} items */
  show(items, count = items.length) {
    this.#items = items.filter((item) => !this.#done.has(this.key(item)));
    this.#count = count - (items.length - this.#items.length);
    the(".number", this.section).textContent = String(this.#count);
    the(".none", this.section).hidden = this.#items.length > 0;
    this.#draw();
  }

  /**
   * Ask the server to do something with an item, which then is not shown any more.
   * @param {string} key
   * @param {string} path
   * @param {object} body
   * @param {string} outcome what is said if it is done
   */
  async decide(key, path, body, outcome) {
    try {
      await ask("POST", path, body);
      this.#done.add(key);
      this.show(this.#items, this.#count);
      this.say(outcome);
      the("h2", this.section).focus(); // the button that was pressed is gone
    } catch (error) {
      this.say(error instanceof Refused ? error.message : text("failed"), error instanceof Refused);
    }
  }

  /** @param {string} sentence @param {boolean} english whether it is the server's */
  say(sentence, english = false) {
    const outcome = the(".outcome", this.section);
    outcome.lang = english ? "en" : document.documentElement.lang;
    outcome.textContent = sentence;
  }

  #draw() {
    const list = the("ul", this.section);
    const drawn = this.#items.slice(0, this.#most);
    const wanted = new Set(drawn.map(this.key));
    for (const [key, element] of this.#shown) {
      if (!wanted.has(key)) {
        element.remove();
        this.#shown.delete(key);
      }
    }
    drawn.forEach((item, place) => {
      const element = this.#shown.get(this.key(item)) ?? this.made(item);
      this.#shown.set(this.key(item), element);
      this.updated(element, item);
      // To move an element takes the focus away from it.
      if (list.children[place] !== element && !element.contains(document.activeElement)) {
        list.insertBefore(element, list.children[place] ?? null);
      }
    });
    the(".more", this.section).hidden = drawn.length === this.#items.length;
  }
}

/** @param {"unanswered" | "doubtful"} name */
export function questions(name) {
  const list = new List(name, (/** @type {Question} */ question) => question.id, made, updated);

  /** @param {Question} question */
  function made({ id, prompt }) {
    const element = copy("question");
    const field = /** @type {HTMLTextAreaElement} */ (the("textarea", element));
    field.placeholder = text("your_answer");
    field.ariaLabel = text("answer_to", { prompt });
    the(".words", element).textContent = prompt;
    the(".dismiss", element).ariaLabel = text("dismiss_of", { prompt });
    field.addEventListener("input", () => fit(field));
    the("form", element).addEventListener("submit", (event) => {
      event.preventDefault();
      const body = { prompt, reply: field.value };
      list.decide(id, "/insights/answers", body, text("answered", { prompt }));
    });
    once(the(".dismiss", element), () =>
      list.decide(id, "/insights/dismissals", { prompt }, text("dismissed", { prompt })),
    );
    return element;
  }

  /** @param {HTMLElement} element @param {Question} question */
  function updated(element, question) {
    const about = the(".about", element);
    const asked = document.createElement("time");
    showTime(asked, question.asked_at);
    const confidence = `${text("confidence")} ${question.confidence.toFixed(2)} · `;
    const counts = `${counted("visitors", question.visitors)} · ${counted("times", question.times)} · `;
    about.replaceChildren(name === "doubtful" ? confidence : "", counts, asked);
    the(".instead", element).hidden = name !== "doubtful";
    the(".given", element).textContent = question.reply;
    the(".receipt", element).textContent = question.why;
  }

  return list;
}

export function lessons() {
  const list = new List("lessons", (/** @type {Lesson} */ lesson) => String(lesson.number), made, updated);

  /** @param {Lesson} lesson */
  function made({ number, prompt, reply }) {
    const element = copy("lesson");
    the(".words", element).textContent = prompt;
    the(".given", element).textContent = reply;
    const path = `/insights/lessons/${number}`;
    const [approve, reject] = [the(".approve", element), the(".reject", element)];
    approve.ariaLabel = text("approve_of", { prompt });
    reject.ariaLabel = text("reject_of", { prompt });
    once(approve, () => list.decide(String(number), path, { decision: "approve" }, text("approved", { prompt })));
    once(reject, () => list.decide(String(number), path, { decision: "reject" }, text("rejected", { prompt })));
    return element;
  }

  /** @param {HTMLElement} element @param {Lesson} lesson */
  function updated(element, lesson) {
    const taught = document.createElement("time");
    showTime(taught, lesson.taught_at);
    the(".about", element).replaceChildren(`${counted("visitors", lesson.visitors)} · `, taught);
  }

  return list;
}

/** The second click of two may find the next item here. @param {HTMLElement} button @param {() => void} clicked */
function once(button, clicked) {
  button.addEventListener("click", (event) => event.detail < 2 && clicked());
}

/** @param {HTMLTextAreaElement} field */
function fit(field) {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

/** @param {string} template */
function copy(template) {
  const { content } = /** @type {HTMLTemplateElement} */ (document.getElementById(template));
  return /** @type {HTMLElement} */ (content.firstElementChild?.cloneNode(true));
}
