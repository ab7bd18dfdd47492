// The left of the desk: my state, who waits, finding calls; and the list of keys.

import { html, useState } from "/static/htm_preact.js";
import { STATES, Since, Left, ToCall, When, first, plainly } from "/static/desk_shown.js";

const REASONS = ["break", "lunch", "meeting", "training", "back office", "end of shift"];
const KEYS = [["Enter", "answer"], ["Esc", "decline; close what is open"], ["a", "available, or away"], ["m", "mute"], ["h", "hold"], ["k", "keypad"],
  ["t", "transfer, ask somebody in"], ["g", "goodwill"], ["n", "note"], ["b", "call back"], ["w", "wrap-up"], ["/", "find calls"], ["?", "this list"]];

export function Me({ me, phone, talk, act }) {
  const [reason, choose] = useState(REASONS[0]);
  const go = (event) => { event.preventDefault(); act.away(reason); };
  const phoneState = phone?.state ?? "off";
  const consulted = talk?.bridge.you === "consulted";
  return html`<div class="card me" id="me" tabindex="-1">
    <p class="eyebrow">${me.display}</p>
    <p class=${`state ${me.state}`} role="status"><span class="shape" aria-hidden="true"></span><strong>${talk?.kind === "message" ? "Reading a message" : consulted ? "Consulted" : STATES[me.state] ?? me.state}</strong>
      ${me.state === "away" && me.reason && html`<span class="quiet">${me.reason}</span>`}</p>
    ${(me.state === "away" || me.state === "idle") && !talk && html`<p class="quiet">for <${Since} at=${me.since} act=${act} /></p>`}
    ${me.state === "wrap_up" && html`<p class="quiet"><${Left} until=${me.until} act=${act} before="available again in " /></p>`}
    ${me.state !== "idle" && !talk && me.state !== "offered" && html`<button class="primary wide" onClick=${act.available}>Available${me.state === "away" ? "" : " again"}</button>`}
    ${me.state === "idle" && html`<form class="row" onSubmit=${go}>
      <label class="hidden" for="away-reason">Why away</label>
      <select id="away-reason" value=${reason} onChange=${(event) => choose(event.target.value)}>
        ${REASONS.map((each) => html`<option key=${each} value=${each}>${first(each)}</option>`)}</select>
      <button>Go away</button></form>`}
    ${me.phone === "browser" && phoneState === "blocked" && html`<p class="error" role="alert">${phone.trouble} <button class="plain" onClick=${act.retry}>Try again</button></p>`}
    ${me.skills.length > 0 && html`<p class="skills">${me.skills.map((skill) => html`<span class="tag" key=${skill}>${skill}</span> `)}</p>`}
  </div>`;
}

export function Waiting({ line, me, act }) {
  return html`<div class="card waiting">
    <h2 id="waiting">Who waits</h2>
    <dl class="sums">
      <div><dt>Waiting</dt><dd class="figure">${line.waiting}</dd></div>
      <div><dt>Longest</dt><dd>${line.since ? html`<${Since} at=${line.since} act=${act} />` : "–"}</dd></div>
      <div><dt>Urgent</dt><dd class=${line.urgent ? "figure some" : "figure"}>${line.urgent}</dd></div>
    </dl>
    ${line.places.length === 0 && html`<p class="quiet">Nobody.</p>`}
    <ol class="places" aria-labelledby="waiting">${line.places.map((place) => html`<li key=${place.place} class=${me.skills.includes(place.skill) ? "mine" : ""}>
      <span class="line"><strong>${place.who}</strong> <${Since} at=${place.waits_since} act=${act} /></span>
      <span class="quiet">${place.urgent && html`<span class="tag urgent">urgent</span> `}${place.channel !== "voice" && html`<span class="tag">${place.channel}</span> `}${plainly(place.reason) || place.skill}</span>
    </li>`)}</ol>
    ${line.waiting > line.places.length && html`<p class="quiet">and ${line.waiting - line.places.length} more</p>`}
  </div>`;
}

export function Find({ me, found, act }) {
  const [text, type] = useState("");
  const look = (event) => { event.preventDefault(); act.find(text); };
  return html`<div class="card find">
    <form class="row" role="search" onSubmit=${look}>
      <label class="hidden" for="find">Find calls by number, id or reason</label>
      <input id="find" type="search" placeholder="Find calls" value=${text} autocomplete="off" maxlength="200" onInput=${(event) => type(event.target.value)} />
      <button>Find</button></form>
    <div role="status">${found && html`<p class="quiet">${found.count === 1 ? "1 call" : `${found.count} calls`}</p>`}</div>
    ${found && html`<ul class="found">${found.calls.map((call) => html`<li key=${call.call_id}>
      <${ToCall} me=${me} id=${call.call_id}>${call.caller || "withheld"}<//>
      <span class="quiet"> ${call.started_at && html`<${When} at=${call.started_at} />`}${call.outcome && `, ${call.outcome}`}${call.reason && `: ${plainly(call.reason)}`}</span></li>`)}</ul>`}
  </div>`;
}

export function KeyList({ keys, act }) {
  return html`<div class="card keys" role="region" aria-labelledby="keys-title">
    <h2 id="keys-title">Keys</h2>
    <dl>${KEYS.map(([key, does]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
    <p><label class="check"><input type="checkbox" checked=${keys} onChange=${(event) => act.set("keys", event.target.checked)} /> Letters are keys (outside of fields)</label></p>
    <button onClick=${act.close}>Close</button>
  </div>`;
}
