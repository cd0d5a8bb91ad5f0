/** The page on which operators sign in. */

import { ask, Refused } from "./api.js";
import { text, the } from "./page.js";

const token = /** @type {HTMLInputElement} */ (the("#token"));

the("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const outcome = the(".outcome");
  outcome.textContent = "";
  try {
    await ask("POST", "/insights/session", { token: token.value.trim() });
    location.reload();
  } catch (error) {
    outcome.textContent = error instanceof Refused ? error.message : text("failed");
    token.select();
  }
});

token.focus();
