/** What the scripts of a page share: its elements, and what it says in the visitor's language. */

/** @type {Record<string, string>} */
const texts = JSON.parse(document.body.dataset.texts ?? "{}");
const plural = new Intl.PluralRules(document.documentElement.lang);

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
 */
export function counted(name, n) {
  return text(plural.select(n) === "one" ? `${name}_one` : `${name}_other`, { n });
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
