/** Where a message is written. */

import { text, the } from "./page.js";

const NEAR_LIMIT = 0.9; // of the characters, from where on they are counted

export class Composer {
  /** @type {HTMLTextAreaElement} */
  #field;
  #most;

  /**
   * @param {HTMLElement} form
   * @param {(message: string) => boolean} say what to do with a message; false if it is not taken
   * @param {() => void} [typing] what to do while one is written
   */
  constructor(form, say, typing) {
    this.form = form;
    this.say = say;
    this.#field = the("textarea", form);
    this.#most = Number(this.#field.dataset.most);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("input", () => {
      this.#fit();
      if (this.#field.value) typing?.();
    });
    this.#field.addEventListener("keydown", (event) => {
      // An Enter that ends the writing of a Japanese word, say, is not one that sends; in Safari it comes as key 229.
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
        event.preventDefault();
        this.#submit();
      }
    });
  }

  focus() {
    this.#field.focus();
  }

  /** On a phone, the keyboard that comes up would cover half the page. */
  focusUnlessKeyboardCovers() {
    if (matchMedia("(hover: hover)").matches) this.focus();
  }

  /** Have a message written, maybe changed and sent; before what is being written. @param {string} message */
  write(message) {
    const draft = this.#field.value;
    if (!draft.includes(message)) this.#field.value = draft.trim() ? `${message}\n${draft}` : message;
    this.#fit();
    this.focus();
  }

  /** Show a sentence above the field, or none. @param {string} sentence */
  notice(sentence) {
    const shown = the(".notice", this.form);
    shown.textContent = sentence;
    shown.hidden = !sentence;
  }

  #submit() {
    const characters = this.#characters();
    if (characters > 0 && characters <= this.#most && this.say(this.#field.value.trim())) {
      this.#field.value = "";
      this.#fit();
    }
    this.focus();
  }

  #characters() {
    return [...this.#field.value.normalize("NFC").trim()].length;
  }

  #fit() {
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
    const n = this.#characters();
    const most = this.#most;
    this.notice(
      n > most ? text("too_long", { n, most }) : n > most * NEAR_LIMIT ? text("near_limit", { n, most }) : "",
    );
    this.#field.setAttribute("aria-invalid", String(n > most));
  }
}
