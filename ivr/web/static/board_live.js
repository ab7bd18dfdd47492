// What moves on the board: figures of today, callers in the order in which they are served, agents and their states.

import { html, useEffect, useRef, useState } from "/static/htm_preact.js";

const STATES = { away: "Away", idle: "Available", offered: "Ringing", busy: "Talking", wrap_up: "Wrapping up" };
const MARKS = { away: "○", idle: "●", offered: "◔", busy: "◆", wrap_up: "◐" };
const PLACES = { waiting: "Waits", offered: "Is being offered", callback: "Call back", dialling: "Is being called",
  away: "Was cut off, place kept" };
const CHANNELS = { message: "Message", chat: "Chat" };

export const percent = (kept) => (kept?.share === null || kept?.share === undefined ? "–" : `${Math.round(100 * kept.share)} %`);

export function lasted(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

const zone = document.documentElement.dataset.zone;
const DAY = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeZone: zone });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", timeZone: zone });
const LATER = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: zone });

// As long as they could have been served: a call back waits from when it is due.
function waited(caller, now) {
  const due = caller.due ? new Date(caller.due) : null;
  const said = due && `due at ${(DAY.format(due) === DAY.format(new Date(now)) ? CLOCK : LATER).format(due)}`;
  return [caller.since && lasted(now - Date.parse(caller.since)), said].filter(Boolean).join(", ") || "–";
}

const words = (reason) => reason.replaceAll(/[-_]/g, " ");

function Figure({ name, value, about }) {
  return html`<div class="figure-card"><dt>${name}</dt><dd><span class="figure">${value}</span><small>${about}</small></dd></div>`;
}

const of = (kept, nothing) => (kept?.made ? `${kept.kept} of ${kept.made}` : nothing);

export function Figures({ board, now }) {
  const { today, longest_since: longest } = board;
  const promises = today?.promises;
  return html`<section aria-labelledby="now-title"><h2 id="now-title" class="hidden">Now and today</h2><dl class="figures">
    <${Figure} name="Waiting" value=${board.waiting} about=${board.hours.open ? "the desk is open" : "the desk is closed"} />
    <${Figure} name="Longest wait" value=${longest ? lasted(now - Date.parse(longest)) : "–"} about=${longest ? "and counting" : "nobody waits"} />
    <${Figure} name="Service level" value=${percent(today?.service_level)} about=${`within ${today?.service_level.within_s ?? 20} s, today`} />
    <${Figure} name="Waits kept" value=${percent(promises?.waits)} about=${of(promises?.waits, "none announced yet")} />
    <${Figure} name="Call backs kept" value=${percent(promises?.call_backs)} about=${of(promises?.call_backs, "none due yet")} />
    <${Figure} name="Places kept" value=${percent(promises?.places)} about=${of(promises?.places, "nobody was cut off")} />
    <${Figure} name="Gave up" value=${percent(today?.abandoned)} about=${of(today?.abandoned, "nobody yet")} />
  </dl></section>`;
}

export function Callers({ board, ask, now }) {
  const [moved, move] = useState(null);
  const { callers } = board;
  return html`<section>
    <h2 id="callers-title">In the line <span class="count">${callers.length}</span></h2>
    ${callers.length === 0 && html`<p class="empty">Nobody waits.</p>`}
    ${callers.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-labelledby="callers-title"><table id="callers">
      <thead><tr><th scope="col">Position</th><th scope="col">Caller</th><th scope="col">Why</th><th scope="col">Skill</th>
        <th scope="col">Waited</th><th scope="col"><span class="hidden">Action</span></th></tr></thead>
      <tbody>${callers.map((caller) => html`<tr key=${caller.place} data-place=${caller.place}>
        <td data-of="Position" class="figure">${caller.position ? `${caller.position}.` : ""} <span class="state">${PLACES[caller.state]}${
          caller.state === "callback" && caller.attempts ? `, tried ${caller.attempts}×` : ""}${caller.agent ? ` → ${caller.agent}` : ""}</span></td>
        <td data-of="Caller">${caller.who}${CHANNELS[caller.channel] && html` <span class="tag">${CHANNELS[caller.channel]}</span>`}</td>
        <td data-of="Why">${caller.urgent && html`<span class="tag urgent">Urgent</span> `}${words(caller.reason)}${
          caller.said && html`<q>${caller.said}</q>`}</td>
        <td data-of="Skill">${caller.skill}</td>
        <td data-of="Waited" class="figure">${waited(caller, now)}</td>
        <td><button type="button" onClick=${() => move(caller)} aria-label=${`Move ${caller.who}`}>Move…</button></td>
      </tr>`)}</tbody></table></div>`}
    ${moved && html`<${Move} caller=${moved} skills=${board.skills} agents=${board.agents} ask=${ask} close=${() => move(null)} />`}
  </section>`;
}

// What was changed may be drawn in another place a moment later: the focus goes along.
const FOLLOWED_MS = 3000;

function followed(label) {
  if (!label) return;
  const watch = new MutationObserver(() => {
    if (document.activeElement === document.body) document.querySelector(`button[aria-label="${CSS.escape(label)}"]`)?.focus();
  });
  watch.observe(document.body, { childList: true, subtree: true });
  setTimeout(() => watch.disconnect(), FOLLOWED_MS);
}

// A modal dialog: the browser keeps the focus in it, and gives it back.
export function Dialog({ title, close, children }) {
  const dialog = useRef(null);
  useEffect(() => {
    const from = document.activeElement;
    const open = dialog.current;
    open.showModal();
    return () => {
      open.close(); // what is behind an open one can't be focused
      if (from?.isConnected) from.focus();
      followed(from?.getAttribute("aria-label"));
    };
  }, []);
  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="dialog-title"><h2 id="dialog-title">${title}</h2>${children}</dialog>`;
}

function Move({ caller, skills, agents, ask, close }) {
  const there = (skill) => agents.some((agent) => agent.state !== "away" && agent.skills.includes(skill));
  const [skill, setSkill] = useState(caller.skill);
  const [priority, setPriority] = useState(caller.priority);
  const move = async (event) => {
    event.preventDefault();
    const to = { place: caller.place, skill, priority: Number(priority) };
    if (await ask("move", to, `${caller.who} was moved; their place in time is kept.`)) close();
  };
  return html`<${Dialog} title=${`Move ${caller.who}`} close=${close}><form onSubmit=${move}>
    <p class="field"><label for="move-skill">Waits for</label><select id="move-skill" value=${skill}
      onChange=${(event) => setSkill(event.target.value)}>${skills.map((each) => html`<option key=${each} value=${each}>${each}${there(each) ? "" : " (nobody there has it)"}</option>`)}</select></p>
    <p class="field"><label for="move-priority">Priority, 0 to 10: higher goes first</label>
      <input id="move-priority" type="number" min="0" max="10" required value=${priority} onInput=${(event) => setPriority(event.target.value)} /></p>
    <p class="go"><button class="primary">Move</button><button type="button" onClick=${close}>Cancel</button></p>
  </form><//>`;
}

export function Agents({ board, ask, now, how, phone, supervise }) {
  const [changed, change] = useState(null);
  const { agents } = board;
  return html`<section>
    <h2 id="agents-title">Agents <span class="count">${agents.length}</span></h2>
    ${agents.length === 0 && html`<p class="empty">Nobody is at the desk.</p>`}
    ${agents.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-labelledby="agents-title"><table id="agents">
      <thead><tr><th scope="col">Agent</th><th scope="col">State</th><th scope="col">Since</th><th scope="col">Skills</th>
        <th scope="col"><span class="hidden">Action</span></th></tr></thead>
      <tbody>${agents.map((agent) => html`<tr key=${`${agent.name}/${agent.slot}`} data-agent=${agent.name}>
        <td data-of="Agent">${agent.display}${agent.slot > 1 && html` <span class="quiet">${agent.slot}</span>`} <span class="quiet">${agent.phone}</span></td>
        <td data-of="State"><span aria-hidden="true" class="mark ${agent.state}">${MARKS[agent.state]}</span> ${STATES[agent.state]}${
          agent.state === "away" && agent.reason && `: ${agent.reason}`}${agent.talk && html` <span class="with">with ${agent.talk.who}${
          agent.talk.reason && `, ${words(agent.talk.reason)}`}</span>`}</td>
        <td data-of="Since" class="figure">${lasted(now - Date.parse(agent.since))}</td>
        <td data-of="Skills">${agent.skills.map((skill) => html`<span class="tag">${skill}</span> `)}</td>
        <td class="does">
          <button type="button" onClick=${() => change(agent)} aria-label=${`Skills of ${agent.display}`}>Skills…</button>
          ${agent.state === "away"
            ? html`<button type="button" aria-label=${`Make ${agent.display} available`}
                onClick=${() => ask("state", { agent: agent.name, state: "idle" }, `${agent.display} is available.`)}>Available</button>`
            : html`<button type="button" aria-label=${`Make ${agent.display} away`}
                onClick=${() => ask("state", { agent: agent.name, state: "away", reason: "by a supervisor" }, `${agent.display} is away.`)}>Away</button>`}
          ${agent.talk && agent.here && phone && html`<${Supervise} agent=${agent} how=${how[agent.name] ?? ""} supervise=${supervise} />`}
        </td>
      </tr>`)}</tbody></table></div>`}
    ${changed && html`<${Skills} agent=${changed} known=${board.skills} ask=${ask} close=${() => change(null)} />`}
  </section>`;
}

function Supervise({ agent, how, supervise }) {
  const part = (name, text) => html`<button type="button" aria-pressed=${how === name} onClick=${() => supervise(agent.name, name)}
    aria-label=${`${text}: ${agent.display} with ${agent.talk.who}`}>${text}</button>`;
  return html`<span role="group" class="supervise" aria-label=${`Conversation of ${agent.display}`}>
    ${part("listen", "Listen")}${part("whisper", "Whisper")}${part("barge", "Barge in")}
    ${how && html`<button type="button" onClick=${() => supervise(agent.name, "off")}>Leave</button>`}</span>`;
}

function Skills({ agent, known, ask, close }) {
  const [has, setHas] = useState(new Set(agent.skills));
  const [more, setMore] = useState("");
  const tick = (skill, on) => setHas((before) => new Set(on ? [...before, skill] : [...before].filter((each) => each !== skill)));
  const set = async (event) => {
    event.preventDefault();
    const skills = [...has, ...more.split(",").map((each) => each.trim()).filter(Boolean)];
    if (await ask("skills", { agent: agent.name, skills }, `${agent.display} takes: ${skills.join(", ")}.`)) close();
  };
  return html`<${Dialog} title=${`Skills of ${agent.display}`} close=${close}><form onSubmit=${set}>
    <fieldset><legend>Takes callers who wait for</legend>${known.map((skill) => html`<label class="check">
      <input type="checkbox" checked=${has.has(skill)} onChange=${(event) => tick(skill, event.target.checked)} /> ${skill}</label>`)}</fieldset>
    <p class="field"><label for="new-skill">And for (names with commas between)</label><input id="new-skill" autocomplete="off" maxlength="200" value=${more} onInput=${(event) => setMore(event.target.value)} /></p>
    <p class="go"><button class="primary">Change</button><button type="button" onClick=${close}>Cancel</button></p>
  </form><//>`;
}
