// Asks for the page again and again, and changes what is different: scrolling, focus, selections and what was opened stay.
"use strict";
const PERIOD_MS = 3000;
const TIMEOUT_MS = 20000;
const live = document.getElementById("live");

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function patch(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType === Node.TEXT_NODE) {
    old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  let next = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    // What has an id is looked for further on; what lies before it is gone from the fresh page.
    let found = next;
    while (child.id && found && found.id !== child.id) found = found.nextSibling;
    if (found && found.nodeName === child.nodeName && (found.id || "") === (child.id || "")) {
      while (next !== found) next = drop(next);
      patch(found, child);
      next = found.nextSibling;
    } else old.insertBefore(child, next);
  }
  while (next) next = drop(next);
}

async function refresh() {
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`the dashboard answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = page.title;
    patch(document.querySelector("main"), page.querySelector("main"));
    live.textContent = `as of ${new Date().toLocaleTimeString()}`;
    live.className = "soft";
  } catch (error) {
    live.textContent = `not live: ${error.message}`;
    live.className = "bad";
  }
  setTimeout(refresh, document.hidden ? 10 * PERIOD_MS : PERIOD_MS);
}

function count() {
  for (const each of document.querySelectorAll(".countdown")) {
    const left = Math.max(each.dataset.seconds - 1, 0);
    each.dataset.seconds = left;
    each.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }
}

setTimeout(refresh, PERIOD_MS);
setInterval(count, 1000);
