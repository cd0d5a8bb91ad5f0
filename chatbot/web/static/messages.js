/** The messages of the room in the order of their numbers, then what is not known to have arrived. */

import { change, showTime, text, the } from "./page.js";
import { show } from "./text.js";

const MOST = 500; // messages and notices on the page
const MOST_NAMES = 5; // in a notice of who came or left
const GROUP_SECONDS = 300; // within which a person's messages stand under one name

export const DIEGO = "Diego";

/** @typedef {{number: number, id: string | null, name: string, text: string, said_at: number, answers: number | null}} Message */

export class Messages {
  /** @type {Map<number, {message: Message, element: HTMLElement}>} */
  #kept = new Map();
  /** @type {Map<string, HTMLElement>} what was said here and has not arrived, by its id */
  #waiting = new Map();
  /** @type {{kind: string, names: string[], element: HTMLElement} | null} the notice that is the last on the page */
  #notice = null;
  #last = 0;

  /**
   * @param {HTMLElement} list
   * @param {(text: string) => void} again what to do when somebody wants to write a message again
   */
  constructor(list, again) {
    this.list = list;
    this.again = again;
    this.name = "";
  }

  /** Show these and no others. @param {Message[]} messages */
  replace(messages) {
    const times = new Map(messages.map((message) => [message.number, message.said_at]));
    for (const [number, { element, message }] of this.#kept) {
      if (times.get(number) === message.said_at) continue;
      element.remove();
      this.#kept.delete(number);
    }
    this.#last = 0;
    for (const message of messages) {
      if (!this.put(message)) this.#last = message.number;
    }
  }

  /** Show a message; false if it is there. @param {Message} message */
  put(message) {
    if (this.#kept.has(message.number)) return false;
    const waiting = this.#waiting.get(message.id ?? "");
    if (message.name === this.name) this.#waiting.delete(message.id ?? "");
    const element = (message.name === this.name && waiting) || this.#make(message.text);
    const before = this.#kept.get(this.#last)?.message;
    element.className = "turn room-message";
    element.classList.toggle("own", message.name === this.name);
    element.classList.toggle("diegos", message.name === DIEGO);
    element.classList.toggle("grouped", belongs(message, before) && !this.#notice);
    this.#head(element, message);
    show(the(".words", element), message.text);
    showTime(the("time", element), message.said_at);
    this.#append(element);
    this.#kept.set(message.number, { message, element });
    this.#last = message.number;
    return true;
  }

  /** Show what was just said here. @param {string} id @param {string} words */
  wait(id, words) {
    const element = this.#make(words);
    element.className = "turn room-message own waiting";
    this.#waiting.set(id, element);
    this.list.append(element);
  }

  /** Show a sentence beside a message that is sent again later; false if it stands there. @param {string} id @param {string} sentence */
  putOff(id, sentence) {
    const element = this.#waiting.get(id);
    return element ? change(the(".unsent", element), sentence) : false;
  }

  /** Nothing waits any more under that id: it was said, maybe under another name. @param {string} id */
  arrived(id) {
    this.#waiting.get(id)?.remove();
    this.#waiting.delete(id);
  }

  /** Show a sentence under a message that was refused. @param {string} id @param {string} sentence */
  refuse(id, sentence) {
    const element = this.#waiting.get(id);
    if (!element) return;
    this.#waiting.delete(id);
    element.className = "turn room-message own refused";
    the(".unsent", element).textContent = sentence;
    const again = the(".ask-why", element);
    again.hidden = false;
    again.onclick = () => {
      element.remove();
      this.again(element.dataset.words ?? "");
    };
  }

  /** Say who came or left; several in a row in one line. @param {"joined" | "left"} kind @param {string} name */
  tell(kind, name) {
    const notice = this.#notice?.kind === kind ? this.#notice : this.#newNotice(kind);
    notice.names.push(name);
    notice.element.textContent = text(kind, { names: listed(notice.names) });
  }

  /** Take the oldest off the page if there are many. */
  prune() {
    while (this.list.childElementCount > MOST) {
      const oldest = /** @type {HTMLElement} */ (this.list.firstElementChild);
      oldest.remove();
      this.#kept.delete(Number(oldest.dataset.number));
    }
  }

  /** @param {string} kind */
  #newNotice(kind) {
    const element = document.createElement("p");
    element.className = "presence";
    this.#append(element);
    this.#notice = { kind, names: [], element };
    return this.#notice;
  }

  /** Put an element after all that has arrived. @param {HTMLElement} element */
  #append(element) {
    this.#notice = null;
    const children = /** @type {HTMLElement[]} */ ([...this.list.children]);
    const waiting = children.find((other) => other !== element && other.classList.contains("waiting"));
    this.list.insertBefore(element, waiting ?? null);
  }

  /** Say whose message it is, and what it answers. @param {HTMLElement} element @param {Message} message */
  #head(element, message) {
    element.dataset.number = String(message.number);
    const who = the(".who", element);
    who.textContent = readable(message.name);
    const answered = message.answers && this.#kept.get(message.answers)?.message;
    if (!answered) return;
    const quote = document.createElement("q");
    quote.textContent = `${readable(answered.name)}: ${answered.text}`;
    who.append(quote);
  }

  /** @param {string} words */
  #make(words) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("message-in-room"));
    const element = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
    element.dataset.words = words;
    show(the(".words", element), words);
    return element;
  }
}

/** A name without what turns the direction of writing, in it or in what follows. @param {string} name */
export function readable(name) {
  return name.replace(/[\u202a-\u202e\u2066-\u2069]/g, "");
}

/** Names in a row, the first few of many. @param {string[]} names */
export function listed(names) {
  const more = names.length - MOST_NAMES;
  const shown = more > 0 ? [...names.slice(0, MOST_NAMES), text("and_others", { n: more })] : names;
  const isolated = shown.map((name) => `\u2068${readable(name)}\u2069`);
  return new Intl.ListFormat(document.documentElement.lang).format(isolated);
}

/** Whether a message stands under the name above the one before. @param {Message} message @param {Message | undefined} before */
function belongs(message, before) {
  return before?.name === message.name && message.said_at - before.said_at < GROUP_SECONDS && !message.answers;
}
