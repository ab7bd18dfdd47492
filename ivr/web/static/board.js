// The supervisor's board: one WebSocket feeds one reducer; what a supervisor changes goes back by it.

import { html, render, useEffect, useReducer } from "/static/htm_preact.js";
import { Link } from "/static/board_link.js";
import { Agents, Callers, Figures } from "/static/board_live.js";
import { Announcement, Hours } from "/static/board_settings.js";
import { History } from "/static/board_history.js";
import { Phone } from "/static/phone.js";

const root = document.getElementById("board");
const START = { link: "connecting", board: null, said: null, phone: false, how: {}, tick: 0 };

function reduce(state, [what, value]) {
  switch (what) {
    case "board": return { ...state, board: value, link: "open" };
    case "hello": return { ...state, phone: value.phone };
    case "link": return { ...state, link: value, how: value === "lost" ? {} : state.how };
    case "said": return { ...state, said: value };
    case "how": return { ...state, how: { ...state.how, ...value } };
    case "tick": return { ...state, tick: state.tick + 1 };
  }
  return state;
}

let dispatch = () => {};
let hearing = ""; // whose conversation this page is in
const link = new Link((told) => {
  const over = told.kind === "board" && hearing && !told.agents.some((agent) => agent.name === hearing && agent.talk);
  if (over) {
    dispatch(["how", { [hearing]: "" }]);
    dispatch(["said", { text: "That conversation is over." }]);
    hangUp();
  }
  dispatch([told.kind, told]);
}, (state) => {
  if (state === "lost") hangUp(); // the line ends a phone with its page's connection
  dispatch(["link", state]);
});
const phone = new Phone(async (sdp) => (await link.ask("phone.offer", { sdp })).sdp, document.getElementById("listening"));
const sentence = (text) => `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

function hangUp() {
  hearing = "";
  phone.stop();
}

// Says what came of it; resolves to whether it was done.
async function ask(command, values, said) {
  try {
    await link.ask(command, values);
    dispatch(["said", { text: said }]);
    return true;
  } catch (error) {
    dispatch(["said", { text: sentence(error.message), bad: true }]);
    return false;
  }
}

const SUPERVISED = { listen: "You hear the conversation; nobody hears you.", whisper: "Only the agent hears you.",
  barge: "Everybody hears you.", off: "You have left the conversation." };

// The phone is made when it is first wanted: a microphone is asked for by a click, never by opening a page.
async function supervise(agent, how) {
  try {
    if (how !== "off") await phone.start();
  } catch (error) {
    dispatch(["said", { text: sentence(phone.trouble || error.message), bad: true }]);
    return;
  }
  const done = await ask("supervise", { agent, how }, SUPERVISED[how]);
  if (done) hearing = how === "off" ? "" : agent;
  if (done) dispatch(["how", { [agent]: how === "off" ? "" : how }]);
  if (!hearing) hangUp(); // nobody keeps a microphone that nobody hears
}

function Board() {
  const [state, change] = useReducer(reduce, START);
  dispatch = change;
  useEffect(() => {
    const timer = setInterval(() => change(["tick"]), 1000);
    return () => clearInterval(timer);
  }, []);
  const { board, link: connected, said } = state;
  if (!board) return html`<p class="empty" role="status">Connecting…</p>`;
  const common = { board, ask, now: link.now() };
  return html`
    <p class="said ${said?.bad ? "bad" : ""}" role="status" aria-live="polite">${
      connected === "lost" ? "The connection to the line was lost. Trying again…"
        : !board.fresh ? "The database does not answer: this is how the line was." : said?.text ?? ""}</p>
    <${Figures} ...${common} />
    <div class="live">
      <${Callers} ...${common} />
      <${Agents} ...${common} how=${state.how} phone=${state.phone} supervise=${supervise} />
    </div>
    <div class="settings"><${Hours} ...${common} /><${Announcement} ...${common} /></div>
    <${History} today=${root.dataset.today} figures=${board.today} />`;
}

root.replaceChildren();
render(html`<${Board} />`, root);
