// The live agent's console: one WebSocket feeds one reducer; keys, ring, title and notifications; the phone in the page.

import { html, render, useEffect, useReducer, useRef } from "/static/htm_preact.js";
import { Bar } from "/static/desk_bar.js";
import { Conversation, Idle, Offer, WrapUp } from "/static/desk_middle.js";
import { Member } from "/static/desk_member.js";
import { Find, KeyList, Me, Waiting } from "/static/desk_line.js";
import { Phone } from "/static/phone.js";
import { Ring } from "/static/ring.js";

const AGAIN_MS = [150, 400, 1000, 2000];
const TITLE = document.title;
const root = document.getElementById("desk");

// -- what is shown: server snapshots, live lines, the link, and what is open on this page only ---------------------

const START = { link: "connecting", server: null, lines: [], open: "", said: null, keys: localStorage.getItem("desk.keys") !== "off",
  aloud: localStorage.getItem("desk.aloud") !== "off", phone: null, found: null };

function reduce(state, [what, value]) {
  switch (what) {
    case "state": {
      const gone = state.server?.talk && !value.talk;
      const said = value.talk?.place === state.server?.talk?.place ? state.said : null;
      return { ...state, server: value, link: "open", said, open: gone && state.open !== "keys" ? "" : state.open };
    }
    case "transcript": return { ...state, lines: value.whole ? value.lines : [...state.lines, ...value.lines] };
    case "link": return { ...state, link: value };
    case "open": return { ...state, open: state.open === value ? "" : value };
    case "close": return { ...state, open: "" };
    case "said": return { ...state, said: value };
    case "phone": return { ...state, phone: value };
    case "found": return { ...state, found: value };
    case "keys": case "aloud":
      localStorage.setItem(`desk.${what}`, value ? "on" : "off");
      return { ...state, [what]: value };
  }
  return state;
}

let dispatch = () => {};
let current = START;

// -- the socket ---------------------------------------------------------------------------------------------------

const waiting = new Map();
let socket = null, number = 0, tries = 0, offset = 0;

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/desk/socket`);
  socket.onopen = () => { tries = 0; phone.renewIfLost(); };
  socket.onmessage = ({ data }) => {
    const told = JSON.parse(data);
    switch (told.kind) {
      case "hello": return greeted(told);
      case "done": case "refused": return settle(told);
      case "replaced": return;
      default: dispatch([told.kind, told]);
    }
    if (told.kind === "state") stillThere(told);
  };
  socket.onclose = ({ code }) => {
    for (const [, { fail }] of waiting) fail(new Error("the connection to the line was lost"));
    waiting.clear();
    if (code === 4001) {
      ring.stop();
      phone.stop();
      return dispatch(["link", "replaced"]);
    }
    dispatch(["link", "lost"]);
    setTimeout(connect, AGAIN_MS[Math.min(tries++, AGAIN_MS.length - 1)]);
  };
}

// Another process of the line knows nothing of this page's phone, nor of how a conversation was.
let process = "", had = "";
function stillThere(state) {
  if (had && !state.talk) dispatch(["said", { text: `${had} could not be joined with you again: they have hung up, or went on before everybody else.`, bad: true }]);
  had = "";
}
function greeted(told) {
  offset = Date.parse(told.now) - Date.now();
  const before = process, talk = current.server?.talk;
  process = told.process;
  if (!before || before === process) return;
  if (talk?.joined) {
    had = talk.story.who;
    const { held_by, recording } = talk.bridge;
    request("again", { place: talk.place, held: held_by === "agent", paused: Boolean(recording?.paused) }).catch(() => {});
  }
  if (phone.wanted) phone.renew();
}

function settle(told) {
  const asked = waiting.get(told.id);
  waiting.delete(told.id);
  if (!asked) return;
  if (told.kind === "done") asked.done(told);
  else asked.fail(new Error(told.why));
}

// Resolves with what is told; rejects with why not.
function request(command, values = {}) {
  return new Promise((done, fail) => {
    if (socket?.readyState !== WebSocket.OPEN) return fail(new Error("there is no connection to the line just now"));
    const id = ++number;
    waiting.set(id, { done, fail });
    socket.send(JSON.stringify({ id, do: command, ...values }));
  });
}

// The same, with what came of it said to the agent. Resolves to null where it was refused.
async function ask(command, values = {}, said = "") {
  try {
    const told = await request(command, values);
    dispatch(["said", said ? { text: said } : null]);
    return told;
  } catch (error) {
    dispatch(["said", { text: sentence(error.message), bad: true }]);
    return null;
  }
}

const sentence = (text) => `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
const now = () => Date.now() + offset;
const once = () => `${Date.now()}-${Math.random().toString(36).slice(2)}`; // one click, one effect

// -- phone and ring -----------------------------------------------------------------------------------------------

const ring = new Ring();
const phone = new Phone(async (sdp) => (await request("phone.offer", { sdp })).sdp, document.getElementById("caller"));
phone.renewIfLost = () => { if (phone.wanted && phone.state !== "ready") phone.renew(); };
const shownPhone = () => ({ state: phone.state, trouble: phone.trouble, quality: phone.quality, microphones: phone.microphones,
  speakers: phone.speakers, microphone: phone.deviceId, ring: ring.device, canChooseRing: ring.canChoose });
phone.addEventListener("change", () => dispatch(["phone", shownPhone()]));
phone.addEventListener("unplugged", () => dispatch(["said", { text: "The microphone is gone.", bad: true }]));

const act = {
  ask, now, once,
  async available() {
    ring.wake();
    if (window.Notification?.permission === "default") Notification.requestPermission();
    if (current.server?.me.phone === "browser") {
      try {
        await phone.start();
      } catch (error) {
        return dispatch(["said", { text: `You can't take calls yet: ${error.message}`, bad: true }]);
      }
    }
    if (!(await ask("available")) && current.server?.me.state === "away") phone.stop();
  },
  away: (reason) => ask("away", { reason }),
  accept: (place) => ask("accept", { place }),
  decline: (place) => ask("decline", { place }),
  mute(on) {
    phone.mute(on);
    return ask("mute", { on }, on ? "Muted: nobody hears you." : "You are heard again.");
  },
  hold: (on) => ask("hold", { on }, on ? "On hold: they hear music." : "You are together again."),
  press: (keys) => ask("press", { keys }),
  open: (what) => dispatch(["open", what]),
  close: () => dispatch(["close"]),
  say: (text) => dispatch(["said", { text }]),
  set: (what, value) => dispatch([what, value]),
  async find(text) { dispatch(["found", text.trim() ? await ask("find", { text }) : null]); },
  microphone: (id) => phone.choose(id).catch((error) => dispatch(["said", { text: error.message, bad: true }])),
  async ringOn(id) {
    await ring.choose(id);
    dispatch(["phone", shownPhone()]);
  },
  retry: () => act.available(),
  useHere() { dispatch(["link", "connecting"]); connect(); },
};

// What follows from a new state, beside what is drawn.
let wasOut = true, wasDeaf = false;
function follow(state) {
  const { server } = state;
  if (!server) return;
  const { me, offer, talk } = server;
  const out = me.state === "away" && !talk && !offer;
  if (me.phone === "browser") {
    if (!out && !phone.wanted && state.link === "open") phone.start().catch(() => {}); // after a reload
    if (out && !wasOut) phone.stop(); // not while they are about to be available
    const deaf = state.phone?.state === "blocked" && me.state === "idle";
    if (deaf && !wasDeaf) ask("away", { reason: "no microphone" }); // before somebody is sent to a phone that is none
    wasDeaf = deaf;
    const muted = Boolean(talk?.bridge.muted);
    if (phone.silent !== muted) phone.mute(muted);
  }
  wasOut = out;
  if (offer && state.link === "open") announce(offer); else quieten();
  const what = offer ? `${offer.kind === "message" ? "Message" : "Call"}: ${offer.story.who}` : talk?.joined ? talk.story.who : "";
  document.title = what ? `${offer ? "● " : ""}${what} · Desk` : TITLE;
}

let announced = 0, note = null;
function announce(offer) {
  if (announced === offer.place) return;
  quieten();
  announced = offer.place;
  ring.start();
  if (window.Notification?.permission === "granted" && !document.hasFocus()) {
    note = new Notification(offer.story.who, { body: offer.story.reason, tag: "desk-offer", icon: "/static/icon.svg", requireInteraction: true });
    note.onclick = () => window.focus();
  }
}
function quieten() {
  announced = 0;
  ring.stop();
  note?.close();
  note = null;
}

addEventListener("beforeunload", (event) => { if (current.server?.talk?.joined && current.link === "open") event.preventDefault(); });
for (const link of document.querySelectorAll(".top a:not([aria-current])")) { // the phone must outlive navigation
  link.target = "_blank";
  link.rel = "noopener";
}

// -- keys (WCAG 2.1.4: single letters outside fields only, and they can be switched off) ----------------------------

const focus = (selector) => {
  const found = document.querySelector(selector);
  found?.focus();
  found?.scrollIntoView({ block: "nearest" });
  return Boolean(found);
};

function pressed(event) {
  const { server, open } = current;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !server) return;
  const field = event.target.closest?.("input:not([type=radio], [type=checkbox]), textarea, select");
  const talk = server.talk;
  if (event.key === "Escape") {
    if (server.offer && !field) act.decline(server.offer.place);
    else if (open) { act.close(); focus("#talk-title") || focus("#me"); }
    else if (field) field.blur();
    else return;
  } else if (event.key === "Enter") {
    if (!server.offer || field || event.target.closest?.("button, a, summary") || event.repeat) return;
    act.accept(server.offer.place);
  } else if (field || event.key.length > 1 || (!current.keys && event.key !== "?")) {
    return;
  } else if (!letter(event.key, server, talk)) {
    return;
  }
  event.preventDefault();
}

function letter(key, server, talk) {
  const joined = talk?.joined;
  switch (key) {
    case "a": return server.me.state === "idle" ? focus("#away-reason") : (act.available(), true);
    case "m": return joined && (act.mute(!talk.bridge.muted), true);
    case "h": return joined && (act.hold(!talk.bridge.held), true);
    case "t": return joined && (act.open("transfer"), true);
    case "k": return joined && (act.open("keypad"), true);
    case "b": return (talk || server.wrap) && (act.open("call-back"), true);
    case "g": return focus("#goodwill button:not(:disabled)") || (act.say("There is no goodwill to give here."), true);
    case "n": return focus("#note") || (act.say("There is nobody to write a note about."), true);
    case "w": return focus("#wrap input:checked, #wrap input") || (act.say("Wrap-up comes after the conversation."), true);
    case "/": return focus("#find");
    case "?": act.open("keys"); return true;
  }
  return false;
}

// -- the page -----------------------------------------------------------------------------------------------------

function Desk() {
  const [state, send] = useReducer(reduce, START);
  dispatch = send;
  current = state;
  const began = useRef(false);
  useEffect(() => {
    if (began.current) return;
    began.current = true;
    connect();
    document.addEventListener("keydown", pressed);
  }, []);
  useEffect(() => follow(state), [state]);
  const { server, link } = state;
  if (link === "replaced") {
    return html`<div class="empty elsewhere"><p role="status">Your desk is open in another tab or window. Calls ring there.</p>
      <p><button class="primary" onClick=${act.useHere}>Use it here instead</button></p></div>`;
  }
  if (!server) return html`<p class="empty" role="status">${link === "lost" ? "The line does not answer; trying again…" : "Connecting…"}</p>`;
  const { offer, talk, wrap } = server;
  const matter = talk ?? offer ?? wrap;
  return html`
    <div class=${`desk ${offer ? "offered" : talk || wrap ? "talking" : ""}`}>
      ${link === "lost" && html`<p class="lost" role="alert">The connection to the line was lost; trying again…${
        talk?.joined ? ` ${talk.story.who} is kept for you; what you see and write here stays.` : ""}</p>`}
      ${!server.line.fresh && html`<p class="lost" role="status">The database is away: this is how the line was a moment ago.</p>`}
      <section class="region left" aria-label="Me and the line">
        <${Me} me=${server.me} phone=${state.phone} talk=${talk} act=${act} />
        <${Waiting} line=${server.line} me=${server.me} act=${act} />
        <${Find} me=${server.me} found=${state.found} act=${act} />
      </section>
      <section class="region middle" aria-label="Conversation">
        ${offer && html`<${Offer} key=${`offer-${offer.place}`} offer=${offer} act=${act} />`}
        ${state.open === "keys" && html`<${KeyList} keys=${state.keys} act=${act} />`}
        ${talk && html`<${Conversation} key=${`talk-${talk.place}`} server=${server} state=${state} act=${act} />`}
        ${!talk && wrap && html`<${WrapUp} key=${`wrap-${wrap.place}`} server=${server} matter=${wrap} state=${state} act=${act} />`}
        ${!talk && !offer && !wrap && html`<${Idle} server=${server} phone=${state.phone} act=${act} />`}
      </section>
      <section class="region right" aria-label="Member" tabindex="0">
        <${Member} key=${matter ? `member-${matter.place}` : "nobody"} me=${server.me} matter=${matter} offered=${Boolean(offer) && !talk} act=${act} />
      </section>
      <${Bar} server=${server} phone=${state.phone} said=${state.said} open=${state.open} act=${act} />
    </div>`;
}

root.replaceChildren();
render(html`<${Desk} />`, root);
