// The right of the desk: the member, next steps, goodwill, notes, earlier calls.

import { html, useState } from "/static/htm_preact.js";
import { Left, ToCall, When, plainly, useTick } from "/static/desk_shown.js";

export function Member({ me, matter, offered, act }) {
  if (!matter) return html`<div class="calm small"><p class="quiet">The member you talk with appears here: their things, notes, earlier calls.</p></div>`;
  const { story } = matter;
  const { panel } = story;
  return html`
    ${story.next.length > 0 && html`<div class="card next"><h2>Next steps</h2><ul>${story.next.map((step) => html`<li key=${step}>${step}</li>`)}</ul></div>`}
    ${story.missing.length > 0 && html`<p class="note" role="status">Could not be read: ${story.missing.join(", ")}.</p>`}
    ${panel ? html`<div class="card member"><h2>${panel.name}</h2>${panel.about && html`<p class="quiet">${panel.about}</p>`}
        <dl class="pairs">${panel.facts.map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd>${text}</dd></div>`)}</dl></div>
      ${!offered && html`<${Goodwill} panel=${panel} act=${act} />`}
      <${Notes} panel=${panel} place=${matter.place} writable=${!offered} act=${act} />
      ${panel.lists.map((list) => html`<${Things} key=${list.title} list=${list} />`)}`
    : story.whole ? html`<div class="card"><h2>${story.who}</h2><p class="quiet">It is not known which member this is.</p></div>`
      : html`<p class="quiet" role="status">Looking for the member…</p>`}
    <div class="card"><h2>Earlier calls</h2>${story.earlier.length === 0 ? html`<p class="quiet">None that we know of.</p>` : html`<ul class="plain-list">${story.earlier.map((call) => html`<li key=${call.call_id}>
      <${ToCall} me=${me} id=${call.call_id}><${When} at=${call.at} /><//> ${call.outcome}${call.reason && html`<span class="quiet">: ${plainly(call.reason)}</span>`}</li>`)}</ul>`}</div>`;
}

function Things({ list }) {
  const items = list.items.map((item) => html`<li key=${item.text}>${item.text}${item.about && html` <span class="quiet">${item.about}</span>`}</li>`);
  return html`<div class="card things"><h2>${list.title}</h2>
    ${items.length === 0 ? html`<p class="quiet">Nothing.</p>` : list.ordered ? html`<ol>${items}</ol>` : html`<ul>${items}</ul>`}
    ${list.more > 0 && html`<p class="quiet">and ${list.more} more</p>`}</div>`;
}

function Goodwill({ panel, act }) {
  useTick(500);
  if (!panel.goodwill.length && !panel.granted.length) return null;
  const give = (goodwill, choice, label) => act.ask("grant", { goodwill, choice, key: act.once() }, `${label}: given.`);
  return html`<div class="card" id="goodwill"><h2>Goodwill</h2>
    ${panel.goodwill.map((each) => html`<div class="grant" key=${each.name}>
      <span><strong>${each.label}</strong> <span class="quiet">${each.why_not || each.limit}</span></span>
      <span class="row">${each.choices.length === 0
        ? html`<button disabled=${Boolean(each.why_not)} onClick=${() => give(each.name, "", each.label)}>Give<span class="hidden"> ${each.label}</span></button>`
        : each.choices.map(([choice, label]) => html`<button key=${choice} disabled=${Boolean(each.why_not)} onClick=${() => give(each.name, choice, `${each.label}, ${label}`)}><span class="hidden">${each.label}: </span>${label}</button>`)}</span></div>`)}
    ${panel.granted.length > 0 && html`<ul class="plain-list given">${panel.granted.map((each) => html`<li key=${each.id}>
      <span class=${each.undone ? "undone" : ""}>${each.label}</span> <span class="quiet">${each.undone ? "taken back, " : ""}${each.by}, <${When} at=${each.at} /></span>
      ${!each.undone && each.undo_until && Date.parse(each.undo_until) > act.now() && html` <button class="plain" onClick=${() => act.ask("undo", { grant: each.id, key: act.once() }, "Taken back.")}>Undo <${Left} until=${each.undo_until} act=${act} before="(" after=")" /></button>`}</li>`)}</ul>`}</div>`;
}

// What is being written outlives the page, and what becomes of it while the line is away.
function Notes({ panel, place, writable, act }) {
  const draft = `desk.note.${place}`;
  const [text, set] = useState(() => sessionStorage.getItem(draft) ?? "");
  const type = (now) => {
    if (now) sessionStorage.setItem(draft, now); else sessionStorage.removeItem(draft);
    set(now);
  };
  const add = async (event) => {
    event.preventDefault();
    if (await act.ask("note", { text, key: act.once() }, "The note is kept.")) type("");
  };
  const send = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) add(event); };
  return html`<div class="card notes"><h2>Notes</h2>
    ${panel.notes.length === 0 && html`<p class="quiet">None.</p>`}
    <ul class="plain-list">${panel.notes.map((note, number) => html`<li key=${`${note.at}-${number}`}>${note.text}<br /><span class="quiet">${note.by}, <${When} at=${note.at} />${note.changed_by && html`; corrected by ${note.changed_by}, <${When} at=${note.changed_at} />`}</span></li>`)}</ul>
    ${panel.takes_notes && writable && html`<form onSubmit=${add}><label for="note">Add a note; the member can hear it, correct it and delete it</label>
      <textarea id="note" rows="2" maxlength="4000" value=${text} onInput=${(event) => type(event.target.value)} onKeyDown=${send}></textarea>
      <button disabled=${!text.trim()}>Keep the note</button></form>`}</div>`;
}
