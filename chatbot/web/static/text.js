/** How a message is shown: as text, in which links and code stand out. Nothing in it becomes HTML. */

const FENCED = /\n?```(?:[\w+-]*\n)?([\s\S]+?)\n?```\n?/g;
const INLINE = /`([^`\n]+)`|https?:\/\/[^\s<>"'`\u202a-\u202e\u2066-\u2069]+/gi;

/**
 * Show a message in an element, in the place of what is there.
 * @param {Element} element
 * @param {string} message
 */
export function show(element, message) {
  element.replaceChildren(...parts(message, FENCED, fenced, (rest) => parts(rest, INLINE, inline, (plain) => [plain])));
}

/**
 * What a message consists of: what the pattern finds, made an element, and what is between.
 * @param {string} message
 * @param {RegExp} pattern
 * @param {(found: RegExpMatchArray) => (Node | string)[]} made
 * @param {(between: string) => (Node | string)[]} between
 */
function parts(message, pattern, made, between) {
  const nodes = [];
  let end = 0;
  for (const found of message.matchAll(pattern)) {
    nodes.push(...between(message.slice(end, found.index)), ...made(found));
    end = found.index + found[0].length;
  }
  nodes.push(...between(message.slice(end)));
  return nodes;
}

/** @param {RegExpMatchArray} found */
function fenced(found) {
  return [code(found[1] ?? "", "code-block")];
}

/** @param {RegExpMatchArray} found */
function inline(found) {
  if (found[1]) return [code(found[1], "")];
  const address = withoutPunctuation(found[0]);
  return [...link(address), found[0].slice(address.length)];
}

/**
 * @param {string} content
 * @param {string} className
 */
function code(content, className) {
  const element = document.createElement("code");
  element.className = className;
  element.textContent = content;
  return element;
}

/**
 * A link, which opens in a tab of its own and does not tell where it was.
 * @param {string} address
 */
function link(address) {
  if (!URL.canParse(address)) return [address];
  const element = document.createElement("a");
  element.href = address;
  element.textContent = address;
  element.target = "_blank";
  element.rel = "noopener noreferrer nofollow";
  return [element];
}

/**
 * An address without what ends the sentence or the brackets around it.
 * @param {string} address
 */
function withoutPunctuation(address) {
  let end = address.length;
  let unopened = address.split(")").length - address.split("(").length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1] ?? "";
    if (last === ")" && unopened > 0) unopened -= 1;
    else if (!".,;:!?]}»”…".includes(last)) break;
  }
  return address.slice(0, end);
}
