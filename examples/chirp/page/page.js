// What is asked for is shown at once, confirmed when the view has reached the position of the answer, and taken back
// with its reason when it is refused. A wish is an event with an id of its own, so asking again is always right.

const API = "tidings";
const SOURCE = encodeURIComponent("/page");
const TYPES = ["tweet-posted", "tweet-deleted", "tweet-bookmarked", "tweet-unbookmarked", "bookmark-refused"];
const AGAIN_MS = 1000;
const STEPS_MAX = 9;

const me = new URLSearchParams(location.search).get("user") || "you";
const { slots, author } = document.body.dataset;
const cards = new Map(); // tweet id -> its card
const wishes = restored(); // what was asked for and has no answer yet, oldest first
let handled = Promise.resolve(); // events are handled one after the other
let sent = Promise.resolve(); // and so are one user's wishes

// ---------------------------------------------------------------- wishes

function restored() {
  return JSON.parse(sessionStorage.getItem(`wishes of ${me}`) || "[]");
}

function keep() {
  sessionStorage.setItem(`wishes of ${me}`, JSON.stringify(wishes));
}

function ask(card) {
  const type = card.isShown() ? "unbookmark-requested" : "bookmark-requested";
  const wish = { id: crypto.randomUUID(), type, tweet: card.id, asked: Date.now() };
  wishes.push(wish);
  keep();
  card.reason = "";
  card.show();
  sent = sent.then(() => send(wish));
}

/** Send a wish until it is answered; return the position at which it is kept, "" if it cannot be. */
async function send(wish) {
  const request = {
    method: "PUT",
    headers: { "ce-type": wish.type, "content-type": "application/json" },
    body: JSON.stringify({ user_id: me, tweet_id: wish.tweet }),
  };
  const answer = await answered(`events/${SOURCE}/${wish.id}`, request);
  if (!answer.ok) {
    refuse(wish, (await answer.json()).detail);
    return "";
  }
  const position = answer.headers.get("tidings-position");
  if (wishes.includes(wish)) step(wish, "kept", position);
  return position;
}

function settle(wish) {
  const place = wishes.indexOf(wish);
  if (place >= 0) wishes.splice(place, 1);
  keep();
}

function refuse(wish, reason) {
  settle(wish);
  const card = cards.get(wish.tweet);
  if (!card) return;
  card.reason = reason;
  card.show();
  say(`Taken back: ${reason}`);
}

// ---------------------------------------------------------------- the server

/** Fetch until there is an answer that is neither a lost connection nor "not now". */
async function answered(path, request) {
  for (;;) {
    try {
      const answer = await fetch(`${API}/${path}`, request);
      if (![412, 429, 502, 503, 504].includes(answer.status)) return answer;
    } catch {
      connected(false);
    }
    await pause();
  }
}

function pause() {
  return new Promise((done) => setTimeout(done, AGAIN_MS));
}

/** Read a view as it is at this position or later. */
async function read(path, position) {
  const headers = { "tidings-min-position": position, prefer: "wait=10" };
  const answer = await answered(`views/bookmarks/${path}`, { headers });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

/** Read everything anew and follow from there, as often as it takes. */
async function begin() {
  for (;;) {
    try {
      return await load();
    } catch {
      connected(false);
      await pause();
    }
  }
}

async function load() {
  let start = "";
  for (const wish of [...wishes]) {
    // Whether a reload has cut off the request or the answer: the same again is the same.
    const position = await send(wish);
    start ||= position; // what came of it may be known by now, so all that came after it is looked at
  }
  const { head } = await (await answered("events?limit=1")).json();
  const tweets = await read(`tweet?author_id=${author}&limit=100`, head);
  const bookmarks = await read(`bookmark?user_id=${encodeURIComponent(me)}&limit=1000`, head);
  for (const row of tweets.rows) cardOf(row);
  const kept = new Set(bookmarks.rows.map((row) => row.tweet_id));
  for (const card of cards.values()) {
    card.kept = kept.has(card.id);
    card.show();
  }
  follow(start || head);
}

function follow(after) {
  const query = new URLSearchParams(TYPES.map((type) => ["type", type]));
  query.set("after", after);
  const stream = new EventSource(`${API}/events/stream?${query}`);
  let last = after;
  stream.onopen = () => connected(true);
  stream.onerror = () => {
    connected(false);
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => resume(last), AGAIN_MS);
  };
  for (const type of TYPES) {
    stream.addEventListener(type, (event) => {
      last = event.lastEventId;
      handled = handled.then(() => hear(type, JSON.parse(event.data), event.lastEventId)).catch(async () => {
        stream.close();
        await begin();
      });
    });
  }
}

/** Go on where the stream has ended, unless the server does not know that place any more: then begin anew. */
async function resume(last) {
  const answer = await answered(`events?limit=1&after=${encodeURIComponent(last)}`);
  if (answer.ok) follow(last);
  else await begin();
}

async function hear(type, event, position) {
  const { user_id: user, tweet_id: tweet, reason } = event.data;
  if (type === "tweet-posted" || type === "tweet-deleted") {
    const found = await read(`tweet/${encodeURIComponent(tweet)}`, position);
    if (found && found.row.author_id === author) cardOf(found.row).show();
    return;
  }
  const card = cards.get(tweet);
  if (user !== me || !card) return;
  const wish = wishes.find((each) => each.id === event.causationid);
  if (type === "bookmark-refused") {
    if (!wish) return;
    step(wish, "refused", position);
    refuse(wish, reason);
    return;
  }
  // The event says that something is decided; the view, at that position, says what is so.
  const path = `bookmark/${encodeURIComponent(me)}/${encodeURIComponent(tweet)}`;
  card.kept = (await read(path, position)) !== null;
  if (wish) {
    settle(wish);
    step(wish, card.kept ? "confirmed" : "removed", position);
    say(card.kept ? "Bookmark confirmed." : "Bookmark removed.");
  }
  card.show();
}

// ---------------------------------------------------------------- what is shown

class Card {
  constructor(row) {
    this.id = row.tweet_id;
    this.kept = false;
    this.reason = "";
    this.item = made("li", "tweet");
    const text = made("p", "text", row.text);
    this.button = made("button", "");
    this.button.type = "button";
    text.id = `text-${this.id}`;
    this.note = made("p", "note");
    this.note.id = `note-${this.id}`;
    this.button.setAttribute("aria-describedby", `${text.id} ${this.note.id}`);
    this.button.addEventListener("click", () => ask(this));
    const foot = made("div", "foot");
    foot.append(this.button, this.note);
    this.item.append(text, foot);
  }

  get wish() {
    return wishes.findLast((wish) => wish.tweet === this.id);
  }

  isShown() {
    return this.wish ? this.wish.type === "bookmark-requested" : this.kept;
  }

  /** Change what differs, and never the elements: whoever has the focus keeps it. */
  show() {
    const state = this.wish ? "asked" : this.reason ? "refused" : this.kept ? "kept" : "none";
    this.item.dataset.state = this.row.deleted && state === "none" ? "deleted" : state;
    this.button.textContent = this.isShown() ? "Bookmarked" : "Bookmark";
    this.button.setAttribute("aria-pressed", String(this.isShown()));
    const asked = this.isShown() ? "not confirmed yet" : "removed, not confirmed yet";
    this.note.textContent = { asked, kept: "confirmed", refused: this.reason }[state] ?? "";
    if (this.row.deleted && state === "none") this.note.textContent = "deleted by its author";
    count();
  }
}

function cardOf(row) {
  let card = cards.get(row.tweet_id);
  if (!card) {
    card = new Card(row);
    cards.set(row.tweet_id, card);
    document.getElementById("tweets").append(card.item);
  }
  card.row = row;
  return card;
}

function count() {
  const all = [...cards.values()];
  const asked = all.filter((card) => card.isShown() && card.wish).length;
  const kept = all.filter((card) => card.isShown()).length - asked;
  const text = `${kept + asked} of ${slots}`;
  document.getElementById("count").textContent = asked ? `${text}, ${asked} not confirmed yet` : text;
  const boxes = Array.from({ length: Math.max(slots, kept + asked) }, (_, n) =>
    made("span", n < kept ? "kept" : n < kept + asked ? "asked" : "free"),
  );
  document.getElementById("slots").replaceChildren(...boxes);
}

function step(wish, what, position) {
  const words = { kept: "asked for, and kept", confirmed: "confirmed", removed: "removed", refused: "refused" };
  const item = made("li", what);
  const text = cards.get(wish.tweet)?.row.text ?? wish.tweet;
  item.append(made("b", "", words[what]), made("code", "", `${(Date.now() - wish.asked).toLocaleString("en")} ms, at ${position}`));
  item.append(made("span", "about", text));
  const list = document.getElementById("steps");
  list.prepend(item);
  while (list.children.length > STEPS_MAX) list.lastChild.remove();
  document.getElementById("nothing").hidden = true;
}

function connected(is) {
  const place = document.getElementById("connection");
  const text = is ? "Connected" : "Not connected: what you ask for is sent as soon as it can be";
  if (place.textContent === text) return;
  place.textContent = text;
  place.dataset.state = is ? "connected" : "lost";
}

function say(text) {
  document.getElementById("said").textContent = text;
}

function made(name, className, text = "") {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

await begin();
