/** What the scripts of a page share: its elements, and what it says in the visitor's language. */

/** @type {Record<string, string>} */
const texts = JSON.parse(document.body.dataset.texts ?? "{}");
const language = document.documentElement.lang;
const plural = new Intl.PluralRules(language);
const TIME = new Intl.DateTimeFormat(language, { timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(language, { dateStyle: "medium" });

/**
 * A text, with {names} filled in.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 */
export function text(name, values = {}) {
  return (texts[name] ?? name).replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}

/**
 * The one of the texts `name_one` and `name_other` that fits a number.
 * @param {string} name
 * @param {number} n
 * @param {Record<string, string>} [values]
 */
export function counted(name, n, values = {}) {
  return text(plural.select(n) === "one" ? `${name}_one` : `${name}_other`, { n, ...values });
}

/**
 * Show when something was said.
 * @param {HTMLTimeElement} element
 * @param {number} seconds since 1970
 */
export function showTime(element, seconds) {
  const date = new Date(1000 * seconds);
  const today = date.toDateString() === new Date().toDateString();
  element.dateTime = date.toISOString();
  element.textContent = today ? TIME.format(date) : `${DAY.format(date)}, ${TIME.format(date)}`;
}

/** Have an element say something; false if it does. @param {Element} element @param {string} sentence */
export function change(element, sentence) {
  if (element.textContent === sentence) return false;
  element.textContent = sentence;
  return true;
}

const MOST_ANNOUNCED = 10;

/** Have a screen reader say something, after what it is saying. @param {string} sentence */
export function announce(sentence) {
  const announcer = the(".announcer");
  const element = document.createElement("p");
  element.textContent = sentence;
  announcer.append(element);
  if (announcer.childElementCount > MOST_ANNOUNCED) announcer.firstElementChild?.remove();
}

/**
 * The element that a selector names; there is one.
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {Element | Document} [within]
 * @returns {T}
 */
export function the(selector, within = document) {
  return /** @type {T} */ (/** @type {unknown} */ (within.querySelector(selector)));
}
