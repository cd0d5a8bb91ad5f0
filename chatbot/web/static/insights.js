/** The operator's page: how Diego does, and what there is to decide on. */

import { ask, Refused } from "./api.js";
import { showCharts } from "./charts.js";
import { lessons, questions } from "./lists.js";
import { text, the } from "./page.js";

const NUMBERS_SECONDS = 2;
const LISTS_SECONDS = 10;
const KEPT_SECONDS = 600;
/** This, and what is above, a proxy says that does not reach Diego, or Diego when he stops. */
const BAD_GATEWAY = 502;

const lists = { unanswered: questions("unanswered"), doubtful: questions("doubtful"), lessons: lessons() };
/** @type {import("./charts.js").Point[]} */
let points = [];

async function showNumbers() {
  const found = await ask("GET", `/insights/numbers?since=${points.at(-1)?.at ?? 0}`).catch((error) => {
    showState(error instanceof Refused && error.status < BAD_GATEWAY ? "connected" : "lost");
    throw error;
  });
  showState("connected");
  points.push(...found.points);
  const end = points.at(-1)?.at ?? 0;
  points = points.filter((point) => point.at > end - KEPT_SECONDS);
  showCharts(points);
}

async function showLists() {
  // One after the other: each keeps a thread of the server from those who chat.
  lists.unanswered.show((await ask("GET", "/insights/unanswered")).questions);
  const taught = await ask("GET", "/insights/lessons");
  lists.lessons.show(taught.lessons, taught.count);
  lists.doubtful.show((await ask("GET", "/insights/doubtful")).questions);
}

/** Ask again and again, also while there is no answer. @param {() => Promise<void>} show @param {number} seconds */
async function keep(show, seconds) {
  try {
    await show();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) location.reload(); // to sign in
  }
  setTimeout(keep, 1000 * seconds, show, seconds);
}

/** @param {"connected" | "lost"} name */
function showState(name) {
  const state = the(".state");
  if (state.dataset.state !== name) state.textContent = text(name);
  state.dataset.state = name;
}

the(".sign-out").addEventListener("click", async () => {
  await ask("DELETE", "/insights/session").catch(() => null);
  location.reload();
});

keep(showNumbers, NUMBERS_SECONDS);
keep(showLists, LISTS_SECONDS);
