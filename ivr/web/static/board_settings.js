// Hours and the announcement, as a supervisor sets them: they count at once, until the moment that is said.

import { html, useState } from "/static/htm_preact.js";

const zone = document.documentElement.dataset.zone;
const AT = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit", day: "numeric", month: "short", timeZone: zone });
const at = (moment) => AT.format(new Date(moment));

// As the company's wall says it: what a datetime-local field holds.
function onTheWall(ms) {
  const parts = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone: zone }).format(new Date(ms));
  return parts.replace(" ", "T");
}

export function Hours({ board, ask, now }) {
  const { open, next_opening: opens, override } = board.hours;
  const [until, setUntil] = useState(onTheWall(now + 3600e3));
  const [reason, setReason] = useState("");
  const set = async (state) => {
    if (await ask("hours", { open: state, until, reason: state ? "" : reason }, state ? "The desk is open." : "The desk is closed.")) setReason("");
  };
  return html`<section class="card" aria-labelledby="hours-title"><h2 id="hours-title">Hours</h2>
    <p id="hours-now"><strong>${open ? "Open" : "Closed"}</strong>${override
      ? ` until ${at(override.until)}, by a supervisor${override.reason ? `: “${override.reason}”` : ""}`
      : opens ? `, opens ${at(opens)}` : " by the calendar"}</p>
    <form onSubmit=${(event) => { event.preventDefault(); set(!open); }}>
      <p class="field"><label for="until">Until (${zone})</label><input id="until" type="datetime-local" required value=${until}
        onInput=${(event) => setUntil(event.target.value)} /></p>
      ${open && html`<p class="field"><label for="reason">Reason, as callers hear it</label><input id="reason" maxlength="300" autocomplete="off"
        value=${reason} onInput=${(event) => setReason(event.target.value)} placeholder="We are closed for an hour for a drill." /></p>`}
      <p class="go"><button class="primary">${open ? "Close until then" : "Open until then"}</button>
        ${override && html`<button type="button" onClick=${() => ask("hours", { open: null }, "The calendar counts again.")}>Back to the calendar</button>`}</p>
    </form></section>`;
}

export function Announcement({ board, ask }) {
  const told = board.announcement;
  const [text, setText] = useState("");
  const [until, setUntil] = useState("");
  const announce = async (event) => {
    event.preventDefault();
    if (await ask("announce", { text, until }, "Callers who want a person hear it from now on.")) setText("");
  };
  return html`<section class="card" aria-labelledby="announcement-title"><h2 id="announcement-title">Announcement</h2>
    <p id="announced">${told ? html`“${told.text}”${told.until && ` until ${at(told.until)}`}` : "Callers who want a person hear nothing special."}</p>
    <form onSubmit=${announce}>
      <p class="field"><label for="text">What callers who want a person hear</label><input id="text" required maxlength="300" autocomplete="off"
        value=${text} onInput=${(event) => setText(event.target.value)} placeholder="Discs from Reno arrive a day late this week." /></p>
      <p class="field"><label for="told-until">Until (may be empty)</label><input id="told-until" type="datetime-local" value=${until}
        onInput=${(event) => setUntil(event.target.value)} /></p>
      <p class="go"><button class="primary">Announce</button>
        ${told && html`<button type="button" onClick=${() => ask("announce", { text: "" }, "It is said no longer.")}>Take it back</button>`}</p>
    </form></section>`;
}
