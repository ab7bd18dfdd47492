// What every page does: times where the line is, the banner, live calls as they move. Server-sent events; no library.
"use strict";

// The line's zone, in which days are searched too: those who look may be anywhere.
const timeZone = knownZone(document.documentElement.dataset.zone);
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone });
const DAY = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", timeZone });

function knownZone(name) {
  try {
    return new Intl.DateTimeFormat(undefined, { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined; // the browser's own
  }
}

function localTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (isNaN(at)) continue;
    const today = DAY.format(at) === DAY.format(new Date());
    element.textContent = today ? CLOCK.format(at) : `${DAY.format(at)}, ${CLOCK.format(at)}`;
    element.title = at.toLocaleString(undefined, { timeZone, timeZoneName: "short" });
  }
}

function make(name, text, attributes = {}) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function liveRow(call) {
  const row = document.getElementById("live-row").content.firstElementChild.cloneNode(true);
  const [caller, state, version, language, since] = row.cells;
  row.dataset.call = call.call_id;
  caller.firstElementChild.href = `/calls/${encodeURIComponent(call.call_id)}`;
  caller.firstElementChild.textContent = call.caller;
  state.textContent = call.outcome || call.state;
  version.firstElementChild.textContent = call.flow_version;
  language.textContent = call.language;
  since.firstElementChild.dateTime = call.started_at;
  return row;
}

function showLive(calls) {
  const table = document.getElementById("live");
  if (!table) return;
  const body = table.tBodies[0];
  const before = new Map([...body.rows].map((row) => [row.dataset.call, row]));
  const focused = document.activeElement?.closest?.("tr")?.dataset.call;
  const rows = calls.map((call) => {
    const row = liveRow(call);
    const old = before.get(call.call_id);
    if (old && old.cells[1].textContent !== row.cells[1].textContent) row.classList.add("moved");
    return row;
  });
  body.replaceChildren(...rows);
  localTimes(body);
  if (focused) body.querySelector(`tr[data-call="${CSS.escape(focused)}"] a`)?.focus();
  document.getElementById("live-count").textContent = String(calls.length);
  document.getElementById("nobody").hidden = calls.length > 0;
  setTimeout(() => rows.forEach((row) => row.classList.remove("moved")), 900);
}

let shownTurns = null;
async function showCall(calls) {
  const place = document.getElementById("call");
  if (!place || place.dataset.live !== "yes") return;
  const call = calls.find((each) => each.call_id === place.dataset.call);
  const now = call ? `${call.turns} ${call.state} ${call.outcome}` : "ended";
  if (shownTurns === null && call) { shownTurns = now; return; }
  if (now === shownTurns) return;
  shownTurns = now;
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById("main").replaceChildren(...fresh.getElementById("main").childNodes);
  localTimes(document);
}

function showFlows(flows) {
  const banner = document.getElementById("banner");
  banner.hidden = !flows.banner;
  if (banner.firstElementChild.textContent !== flows.banner) banner.firstElementChild.textContent = flows.banner;
  if (flows.revision === document.body.dataset.revision) return;
  if (location.pathname === "/flows") location.reload();
  const stale = document.getElementById("stale");
  if (stale && !document.body.dataset.revision.startsWith(`${flows.version}-`)) stale.hidden = false;
}

let latest = null; // for scripts that are loaded after the first news

function listen() {
  const state = document.getElementById("link-state");
  const source = new EventSource("/events");
  source.onopen = () => { state.textContent = ""; };
  source.onerror = () => { state.textContent = "Connection lost, trying again…"; };
  source.onmessage = (event) => {
    const now = latest = JSON.parse(event.data);
    showLive(now.calls);
    showCall(now.calls);
    showFlows(now.flows);
    document.dispatchEvent(new Event("ivr:now"));
  };
  addEventListener("pagehide", () => source.close());
}

localTimes(document);
if (document.getElementById("banner")) listen();
