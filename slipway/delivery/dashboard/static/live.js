// Asks for what changes of the page, and keeps what the reader has opened.
"use strict";
const PERIOD_MS = 3000;
const places = document.getElementById("places");
const live = document.getElementById("live");

async function refresh() {
  try {
    const answer = await fetch("/places", { cache: "no-store" });
    if (!answer.ok) throw new Error(`the dashboard answered ${answer.status}`);
    const opened = [...places.querySelectorAll("details[open]")].map((each) => each.id);
    const fresh = document.createElement("div");
    fresh.innerHTML = await answer.text();
    for (const id of opened) fresh.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
    // A chart is shown when it is there, so that the page does not jump.
    await Promise.all([...fresh.querySelectorAll("img")].map((image) => image.decode().catch(() => {})));
    places.replaceChildren(...fresh.childNodes);
    live.textContent = `as of ${new Date().toLocaleTimeString()}`;
    live.className = "soft";
  } catch (error) {
    live.textContent = `not live: ${error.message}`;
    live.className = "bad";
  }
  setTimeout(refresh, document.hidden ? 10 * PERIOD_MS : PERIOD_MS);
}

if (places) setTimeout(refresh, PERIOD_MS);
