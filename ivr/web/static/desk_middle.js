// The middle of the desk: the offer, the conversation with its whole story, and what is written after it.

import { html, useLayoutEffect, useRef, useState } from "/static/htm_preact.js";
import { Left, Since, Transcript, Why, first, plainly } from "/static/desk_shown.js";

const KINDS = { call: "Somebody is calling", call_back: "A call back is due", message: "A message was left" };
const ANSWER = { call: "Answer", call_back: "Take it, and call them", message: "Read it" };

export function Idle({ server, phone, act }) {
  const { me, news } = server;
  const ready = me.state === "idle";
  return html`<div class="calm">
    ${news && html`<p class="note" role="status">${news}</p>`}
    <p class="big">${ready ? "You are available." : me.state === "away" ? "You are away." : ""}</p>
    <p class="quiet">${ready
      ? "The next caller appears here, with why they call, before you answer."
      : html`Press <kbd>a</kbd> when you want to take calls. <kbd>?</kbd> lists all keys.`}</p>
    ${ready && me.phone === "browser" && phone?.state === "lost" && html`<p class="error" role="alert">Your phone has no connection; calls go to others until it has.</p>`}
  </div>`;
}

export function Offer({ offer, act }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    const before = document.activeElement, offered = box.current;
    offered.focus();
    return () => { if (before?.isConnected && offered.contains(document.activeElement)) before.focus(); };
  }, []);
  const { story } = offer;
  const repeated = story.earlier.length;
  return html`<div class="card offer" ref=${box} role="alertdialog" aria-labelledby="offer-title" aria-describedby="offer-kind offer-why" tabindex="-1">
    <p class="eyebrow" id="offer-kind">${offer.asked_by ? `${offer.asked_by} asks you about a caller` : KINDS[offer.kind]}</p>
    <h2 id="offer-title">${story.who} ${story.identity !== "unknown" && html`<span class="tag">${story.identity}</span>`}</h2>
    <div id="offer-why"><${Why} story=${story} />
      <p class="facts-line"><span>${offer.kind === "call" ? "Waiting" : "Since"} <${Since} at=${offer.waits_since} act=${act} /></span>
        ${repeated > 0 && html`<span>${repeated === 1 ? "1 earlier call" : `${repeated} earlier calls`}</span>`}
        ${offer.attempts > 0 && html`<span>tried ${offer.attempts} times</span>`}
        ${offer.again && html`<span>has been offered before</span>`}
        ${story.tried.length > 0 && html`<span>tried: ${story.tried.map(plainly).join(", ")}</span>`}</p></div>
    <p class="choices"><button class="primary" onClick=${() => act.accept(offer.place)}>${ANSWER[offer.kind]} <kbd>Enter</kbd></button>
      <button onClick=${() => act.decline(offer.place)}>Decline <kbd>Esc</kbd></button>
      <span class="quiet" aria-hidden="true"><${Left} until=${offer.until} act=${act} before=${offer.asked_by ? "rings for another " : "goes on to somebody else in "} /></span></p>
  </div>`;
}

export function Conversation({ server, state, act }) {
  const { talk, news } = server;
  const { story, bridge } = talk;
  const title = useRef(null);
  useLayoutEffect(() => { title.current?.focus(); }, []);
  const message = talk.kind === "message";
  return html`<article class="talk-card" aria-labelledby="talk-title">
    <header class="who"><h2 id="talk-title" tabindex="-1" ref=${title}>${story.who} ${story.identity !== "unknown" && html`<span class="tag">${story.identity}</span>`}
        ${bridge.held && html`<span class="tag hold">on hold</span>`}${bridge.muted && html`<span class="tag hold">you are muted</span>`}</h2>
      <p class="quiet">${story.number || "number withheld"} · ${story.language}${talk.joined || message ? "" : talk.awaited ? " · being joined with you again…" : talk.kind === "call_back" ? " · calling them…" : " · connecting…"}</p></header>
    ${news && html`<p class="note" role="status">${news}</p>`}
    <${Others} bridge=${bridge} who=${story.who} act=${act} />
    ${state.open === "transfer" && html`<${Transfer} targets=${server.targets} act=${act} />`}
    ${state.open === "keypad" && html`<${Keypad} act=${act} />`}
    ${state.open === "call-back" && html`<${CallBack} matter=${talk} act=${act} />`}
    ${message && html`<${Message} message=${talk.message} />`}
    <div class="card"><h2>Why they call</h2><${Why} story=${story} /></div>
    ${!message && html`<${Live} lines=${state.lines} recording=${bridge.recording} aloud=${state.aloud} act=${act} />`}
    ${(!message || story.transcript.length > 0) && html`<div class="card"><h2>What they said to the line</h2><${Transcript} lines=${story.transcript} />
      ${story.tried.length > 0 && html`<p class="quiet">Tried: ${story.tried.map(plainly).join(", ")}</p>`}</div>`}
    ${message && html`<${Finish} server=${server} act=${act} />`}
  </article>`;
}

// Who else is in it, or asked first; and what went wrong with that.
function Others({ bridge, who, act }) {
  const asked = bridge.consulting, other = asked?.with;
  const listening = bridge.supervisors?.length > 0;
  return html`<div role="status">${bridge.trouble && html`<p class="error">${bridge.trouble}</p>`}
    ${bridge.transferring && html`<p class="note">Passing on to ${bridge.transferring}…</p>`}
    ${listening && html`<p class="quiet">With you: ${bridge.supervisors.join(", ")}</p>`}
    ${bridge.you === "consulted" && html`<p class="note">You were asked about this one. ${who} hears you only where your colleague joins you all.</p>`}
    ${asked && bridge.you !== "consulted" && html`<div class="card others-in">
    <p>${asked.state === "ringing" ? `It rings at ${other}.` : asked.state === "conference" ? `You, ${who} and ${other} are together.` : `You talk with ${other}. ${who} is on hold.`}</p>
    <p class="row">${asked.state !== "ringing" && html`<button class="primary" onClick=${() => act.ask("complete", {}, "They are together now.")}>Leave them together</button>
      ${asked.state !== "conference" && html`<button onClick=${() => act.ask("conference")}>All three</button>`}`}
      <button onClick=${() => act.ask("drop")}>Back to ${who} alone</button></p></div>`}</div>`;
}

export function Transfer({ targets, act }) {
  const list = useRef(null);
  const [to, choose] = useState("");
  useLayoutEffect(() => { list.current?.focus(); }, []);
  const groups = [["Colleagues", (each) => each.to.startsWith("agent:")], ["Lines", (each) => each.state === "skill"], ["Outside", (each) => each.state === "outside"]];
  const label = (each) => each.to.startsWith("agent:") ? `${each.label} (${each.state === "idle" ? "available" : each.state.replace("_", " ")})` : each.label;
  const chosen = targets.find((each) => each.to === to);
  const go = async (event) => {
    event.preventDefault();
    if (!chosen) return;
    const how = event.submitter?.value === "consult" ? "consult" : "transfer";
    if (await act.ask(how, { to }, how === "transfer" ? `Passed on to ${chosen.label}.` : "")) act.close();
  };
  return html`<form class="card panel" onSubmit=${go} aria-labelledby="transfer-title">
    <h2 id="transfer-title">Transfer</h2>
    ${targets.length === 0 ? html`<p class="quiet">There is nobody to transfer to.</p>` : html`
    <label for="transfer-to">To whom</label>
    <select id="transfer-to" ref=${list} size=${Math.min(8, targets.length + groups.length)} value=${to} onChange=${(event) => choose(event.target.value)}>
      ${groups.map(([name, of]) => targets.some(of) && html`<optgroup key=${name} label=${name}>${targets.filter(of).map((each) => html`<option key=${each.to} value=${each.to}>${label(each)}</option>`)}</optgroup>`)}
    </select>
    <p class="row"><button class="primary" value="transfer" disabled=${!chosen}>Transfer now</button>
      <button value="consult" disabled=${!chosen || chosen.state === "skill"}>Talk to them first</button>
      <button type="button" class="plain" onClick=${act.close}>Close</button></p>`}
  </form>`;
}

function Keypad({ act }) {
  const box = useRef(null);
  const [pressed, add] = useState("");
  useLayoutEffect(() => { box.current?.focus(); }, []);
  const press = (key) => { add((before) => before + key); act.press(key); };
  const typed = (event) => {
    if (!/^[0-9*#]$/.test(event.key)) return;
    event.preventDefault();
    press(event.key);
  };
  return html`<div class="card panel" role="group" aria-labelledby="keypad-title" onKeyDown=${typed} tabindex="-1" ref=${box}>
    <h2 id="keypad-title">Keypad</h2>
    <div class="dial">${[..."123456789*0#"].map((key) => html`<button key=${key} onClick=${() => press(key)}>${key}</button>`)}</div>
    <p class="figure" aria-live="polite">${pressed || "–"}</p><button class="plain" onClick=${act.close}>Close</button></div>`;
}

export function CallBack({ matter, act }) {
  const box = useRef(null);
  const [number, type] = useState(matter.call_back_number || matter.story.number);
  const [at, when] = useState("");
  useLayoutEffect(() => { box.current?.focus(); }, []);
  const go = async (event) => {
    event.preventDefault();
    const due = at ? new Date(at).toISOString() : "";
    if (await act.ask("call_back", { number, due }, `A call back is noted, for you${at ? "" : " as soon as you are free"}.`)) act.close();
  };
  return html`<form class="card panel" onSubmit=${go} aria-labelledby="call-back-title">
    <h2 id="call-back-title">Call them back</h2>
    <div class="fields"><p><label for="call-back-number">Number</label><input id="call-back-number" ref=${box} type="tel" required value=${number} onInput=${(event) => type(event.target.value)} /></p>
    <p><label for="call-back-at">When (your time; empty: next)</label><input id="call-back-at" type="datetime-local" value=${at} onInput=${(event) => when(event.target.value)} /></p></div>
    <p class="row"><button class="primary">Note it</button><button type="button" class="plain" onClick=${act.close}>Close</button></p></form>`;
}

function Live({ lines, recording, aloud, act }) {
  const list = useRef(null);
  useLayoutEffect(() => { if (list.current) list.current.scrollTop = list.current.scrollHeight; }, [lines.length]);
  return html`<div class="card live-lines"><div class="head"><h2 id="live-title">As you talk</h2>
      <label class="check"><input type="checkbox" checked=${aloud} onChange=${(event) => act.set("aloud", event.target.checked)} /> Screen readers read new lines</label></div>
    <${Recording} recording=${recording} act=${act} />
    ${lines.length === 0 && html`<p class="quiet untranscribed">${recording?.untranscribed ? `Nothing is written down: ${recording.untranscribed}` : "What both of you say is written here, once the caller has agreed."}</p>`}
    <div class="log" ref=${list} tabindex="0" aria-labelledby="live-title" aria-live=${aloud ? "polite" : "off"} role="log"><ol>${lines.map((line, number) => html`<li key=${number} class=${line.by}>
      <span class="who">${first(line.by)}</span> <span>${line.unsure ? html`<mark class="unsure" title="This may have been misheard">${line.text}<span class="hidden"> (unsure)</span></mark>` : line.text}${line.late && html` <span class="tag">late</span>`}</span></li>`)}</ol></div></div>`;
}

// Whether it is recorded, why not, and the caller's right to end that.
function Recording({ recording, act }) {
  if (!recording) return null;
  if (!recording.on && !recording.paused && !recording.transcribing) return html`<p class="quiet recording">Not recorded. ${recording.why_not}</p>`;
  return html`<p class="row recording"><span class="tag ${recording.paused ? "hold" : "live"}">${recording.paused ? "recording paused" : recording.on ? "recording" : "written down"}</span>
    <button onClick=${() => act.ask("record", { on: recording.paused })}>${recording.paused ? "Go on recording" : "Pause, something private"}</button>
    <button onClick=${() => act.ask("withdraw_recording", {}, "Nothing more is recorded.")}>The caller wants none</button>
    ${recording.unheard && html`<span class="quiet">When they say "stop recording", press it: nobody else hears it (${recording.unheard}).</span>`}</p>`;
}

function Message({ message }) {
  return html`<div class="card"><h2>Their message</h2>
    <blockquote>${message.transcript ? `“${message.transcript}”` : "It was not understood; listen to it."}</blockquote>
    ${message.recording && html`<audio controls preload="none" src=${message.recording} aria-label="Their message, recorded"></audio>`}</div>`;
}

export function WrapUp({ server, matter, state, act }) {
  const title = useRef(null);
  useLayoutEffect(() => { title.current?.focus(); }, []);
  return html`<article class="talk-card" aria-labelledby="talk-title">
    <header class="who"><h2 id="talk-title" tabindex="-1" ref=${title}>After the conversation with ${matter.story.who}</h2>
      <p class="quiet">Take the time it needs.</p></header>
    ${server.news && html`<p class="note" role="status">${server.news}</p>`}
    ${state.open === "call-back" && html`<${CallBack} matter=${matter} act=${act} />`}
    <${Finish} server=${server} act=${act} />
    <div class="card"><h2>Why they called</h2><${Why} story=${matter.story} /></div>
    ${state.lines.length > 0 && html`<${Live} lines=${state.lines} aloud=${false} act=${act} />`}
  </article>`;
}

function Finish({ server, act }) {
  const [chosen, choose] = useState("");
  const go = (event) => {
    event.preventDefault();
    if (!chosen) return act.say("Choose how it came out.");
    act.ask("finish", { disposition: chosen, then: event.submitter?.value === "away" ? "away" : "available", reason: "after a call" }, "Kept.");
  };
  return html`<form id="wrap" class="card wrap" onSubmit=${go} aria-labelledby="wrap-title">
    <fieldset><legend id="wrap-title">How did it come out?</legend>
      ${Object.entries(server.dispositions).map(([word, label]) => html`<label key=${word} class="check"><input type="radio" name="disposition" value=${word} checked=${chosen === word} onChange=${() => choose(word)} /> ${label}</label>`)}
    </fieldset>
    <p class="row"><button class="primary" value="available">Save, take the next</button><button value="away">Save, be away</button>
      <button type="button" class="plain" onClick=${() => act.open("call-back")}>Call them back…</button></p></form>`;
}
