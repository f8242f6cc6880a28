"use strict";
// What needs a script: entries that come while the log is followed, and the bar of a verification. All else is links and forms.

const ROWS_MAX = 500;
const TELL_MS = 1500;
const LOOK_MS = 500;
const AGAIN_MS = 1000;

function follow(bar) {
  const table = document.getElementById("entries");
  const body = table.tBodies[0];
  const blank = document.getElementById("entry").content;
  const button = bar.querySelector("[data-follow]");
  const status = bar.querySelector("[data-status]");
  const empty = document.querySelector("[data-empty]");
  let source = null, last = null, held = [], count = 0, telling = 0;

  function row(cells) {
    const made = blank.cloneNode(true).querySelector("tr");
    for (const place of made.querySelectorAll("[data-cell]")) {
      place.textContent = cells[place.dataset.cell];
      if (place.dataset.link) place.href = cells[place.dataset.link];
      if (place.dataset.time) place.dateTime = cells[place.dataset.time];
    }
    made.className = "fresh";
    return made;
  }

  // Nothing moves under a pointer or a keyboard's focus: what comes meanwhile waits until they have left the table.
  function isInUse() {
    return body.matches(":hover") || body.contains(document.activeElement);
  }

  function place() {
    if (isInUse()) return;
    for (const cells of held) body.prepend(row(cells));
    if (held.length && empty) empty.hidden = true;
    table.parentElement.hidden = body.rows.length === 0;
    held = [];
    while (body.rows.length > ROWS_MAX) body.lastElementChild.remove();
  }

  function tell() {
    telling = 0;
    const waiting = held.length ? `, ${held.length.toLocaleString("en")} waiting until you leave the table` : "";
    const came = count === 1 ? "1 event came" : `${count.toLocaleString("en")} events came`;
    status.textContent = count ? `${came} since you began to watch${waiting}` : "Waiting for events…";
  }

  function came(message) {
    last = message.lastEventId;
    held.push(JSON.parse(message.data));
    if (held.length > ROWS_MAX) held.shift();
    count += 1;
    place();
    telling = telling || setTimeout(tell, TELL_MS);
  }

  function begin() {
    const address = new URL(bar.dataset.tail, location.href);
    if (last !== null) address.searchParams.set("after", last);
    source = new EventSource(address);
    source.onmessage = came;
    source.onopen = tell;
    source.onerror = lost;
    button.setAttribute("aria-pressed", "true");
  }

  // The browser asks again by itself after a lost connection, and gives up after a refusal: one that may pass, as of a
  // server that is starting, or one that will not, as of a key that is forgotten.
  async function lost() {
    const refused = source;
    status.textContent = "The server does not answer; asking again…";
    if (refused.readyState !== EventSource.CLOSED) return;
    const page = await fetch(location.href, { method: "HEAD" }).catch(() => null);
    if (source !== refused) return;
    if (page && page.status >= 400 && page.status < 500) {
      end();
      status.textContent = "The server does not let this page go on: load it again.";
    } else {
      setTimeout(() => { if (source === refused) begin(); }, AGAIN_MS);
    }
  }

  function end() {
    source.close();
    source = null;
    button.setAttribute("aria-pressed", "false");
    status.textContent = "Not following. What comes is shown when you go on.";
  }

  button.addEventListener("click", () => (source ? end() : begin()));
  body.addEventListener("pointerleave", () => setTimeout(place));
  body.addEventListener("focusout", () => setTimeout(place));
  table.parentElement.hidden = body.rows.length === 0;
  bar.hidden = false;
  begin();
}

async function watch(part) {
  const bar = part.querySelector("progress");
  const status = part.querySelector("[data-status]");
  for (;;) {
    const answer = await fetch(part.dataset.progress, { cache: "no-store" });
    if (!answer.ok) return;
    const { done, total, ended } = await answer.json();
    if (ended) return location.reload();
    bar.max = Math.max(total, 1);
    bar.value = done;
    status.textContent = `${done.toLocaleString("en")} of ${total.toLocaleString("en")}`;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

for (const bar of document.querySelectorAll("[data-tail]")) follow(bar);
for (const part of document.querySelectorAll("[data-progress]")) watch(part).catch(() => {});
