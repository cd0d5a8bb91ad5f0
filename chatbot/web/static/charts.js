/** Lines over the last ten minutes. */

import { text, the } from "./page.js";

const SECONDS = 600;
const [WIDTH, HEIGHT] = [600, 100];
const GAP = 10; // seconds without a point, after which a line begins anew
const STEPS = [1, 2, 5, 10];

const language = document.documentElement.lang;
const NUMBER = new Intl.NumberFormat(language, { maximumSignificantDigits: 2 });

/** @typedef {{at: number, clients: number, replies: number, median: number | null, p99: number | null}} Point */
/** @typedef {"clients" | "replies" | "median" | "p99"} Name */

/** Show all charts. @param {Point[]} points the last of which is of now */
export function showCharts(points) {
  const last = points.at(-1);
  chart("clients", points, ["clients"], number(last?.clients));
  chart("replies", points, ["replies"], number(last?.replies));
  const latest = [...points].reverse().find((point) => point.median !== null);
  const values = { half: time(latest?.median), most: time(latest?.p99) };
  chart("latency", points, ["median", "p99"], latest ? text("latency_now", values) : time(null), time);
}

/**
 * @param {string} name
 * @param {Point[]} points
 * @param {Name[]} lines
 * @param {string} now what it is at the moment
 * @param {(value: number) => string} unit how the scale is written
 */
function chart(name, points, lines, now, unit = number) {
  const figure = the(`[data-chart=${name}]`);
  const most = ceiling(Math.max(0, ...points.flatMap((point) => lines.map((line) => point[line] ?? 0))));
  const end = points.at(-1)?.at ?? 0;
  const svg = the("svg", figure);
  svg.replaceChildren(...lines.map((line) => drawn(line, path(points, line, end, most))));
  svg.setAttribute("aria-label", `${the("figcaption", figure).textContent}: ${now}`);
  the(".now", figure).textContent = now;
  the(".most", figure).textContent = most ? text("at_most", { most: unit(most) }) : "";
}

/** @param {Name} name @param {string} d */
function drawn(name, d) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
  element.setAttribute("class", name);
  element.setAttribute("d", d);
  return element;
}

/** @param {Point[]} points @param {Name} line @param {number} end @param {number} most */
function path(points, line, end, most) {
  let before = -Infinity;
  const parts = points.flatMap((point) => {
    const value = point[line];
    if (value === null) return [];
    const x = WIDTH * (1 - (end - point.at) / SECONDS);
    const y = HEIGHT * (1 - value / (most || 1));
    const begins = point.at - before > GAP;
    before = point.at;
    return [begins ? `M${x.toFixed(1)} ${y.toFixed(1)}h0.5` : `L${x.toFixed(1)} ${y.toFixed(1)}`];
  });
  return parts.join("");
}

/** A round number that is not less. @param {number} value */
function ceiling(value) {
  if (value <= 0) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * (STEPS.find((step) => step * power >= value) ?? 10);
}

/** @param {number | null | undefined} value */
function number(value) {
  return typeof value === "number" ? NUMBER.format(value) : "–";
}

/** @param {number | null | undefined} seconds */
function time(seconds) {
  if (typeof seconds !== "number") return "–";
  return seconds < 1 ? `${number(1000 * seconds)} ms` : `${number(seconds)} s`;
}
