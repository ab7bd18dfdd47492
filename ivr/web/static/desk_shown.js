// What the parts of the desk show alike: times that run, words for states, quotes, transcripts.

import { html, useEffect, useState } from "/static/htm_preact.js";

export const STATES = { away: "Away", idle: "Available", offered: "Being offered a call", busy: "Talking", wrap_up: "Wrapping up" };
const timeZone = (() => {
  try { return new Intl.DateTimeFormat(undefined, { timeZone: document.documentElement.dataset.zone }).resolvedOptions().timeZone; } catch { return undefined; }
})();
const DAY = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", timeZone });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", timeZone });

export function useTick(ms = 1000) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), ms);
    return () => clearInterval(timer);
  }, [ms]);
}

export const seconds = (from, to) => Math.max(0, Math.floor((to - Date.parse(from)) / 1000));

export function span(total) {
  const minutes = Math.floor(total / 60), rest = String(total % 60).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

export const Since = ({ at, act }) => {
  useTick();
  return at ? html`<span class="figure">${span(seconds(at, act.now()))}</span>` : null;
};

export const Left = ({ until, act, before = "", after = "" }) => {
  useTick(500);
  const left = until ? Math.ceil((Date.parse(until) - act.now()) / 1000) : 0;
  return left > 0 ? html`<span class="figure">${before}${left} s${after}</span>` : null;
};

export const When = ({ at }) => {
  const moment = new Date(at);
  const today = DAY.format(moment) === DAY.format(new Date());
  return html`<time datetime=${at}>${today ? CLOCK.format(moment) : DAY.format(moment)}</time>`;
};

// A call's own page, for who may open it; the phone stays on this one.
export const ToCall = ({ me, id, children }) => me.opens_calls
  ? html`<a href=${`/calls/${encodeURIComponent(id)}`} target="_blank" rel="noopener">${children}</a>` : html`<span>${children}</span>`;

export const plainly = (text) => (text || "").replace(/[-_]/g, " ").replace(/\b\.\b/g, ": ");
export const first = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "");

// Words that may have been misheard, marked: a line below them, and a word for those who listen.
export function Said({ text, unsure = [] }) {
  if (!unsure.length) return text;
  if (unsure.includes(text)) return html`<${Unsure}>${text}<//>`;
  const words = new Set(unsure);
  return text.split(/(\s+)/).map((part) => {
    const bare = part.replace(/^[.,;:!?"“”]+|[.,;:!?"“”]+$/g, "");
    return words.has(bare) ? html`<${Unsure}>${part}<//>` : part;
  });
}

const Unsure = ({ children }) => html`<mark class="unsure" title="This may have been misheard">${children}<span class="hidden"> (unsure)</span></mark>`;

const WHO = { prompt: "Line", heard: "Caller", key: "Caller" };

export function Transcript({ lines }) {
  if (!lines.length) return html`<p class="quiet">They said nothing to the line.</p>`;
  return html`<ol class="story">${lines.map((line, number) => html`
    <li key=${number} class=${line.kind}><span class="who">${WHO[line.kind] ?? ""}</span>
    <span class="what">${line.kind === "key" ? `pressed ${line.text}` : line.kind === "heard" ? html`“<${Said} text=${line.text} unsure=${line.unsure} />”` : line.text}</span></li>`)}</ol>`;
}

// Why they want a person, with their words for each reason.
export function Why({ story }) {
  return html`<div class="why">
    <p class="reason">${first(plainly(story.reason) || "No reason given")}
      ${story.urgent && html` <span class="tag urgent">urgent</span>`} <span class="tag">${story.skill}</span></p>
    ${story.said && html`<blockquote>“${story.said}”</blockquote>`}
    ${story.also.length > 0 && html`<ul class="plain-list also">${story.also.map((other) => html`<li key=${other.reason}>
      <span class="quiet">also:</span> ${plainly(other.reason)}${other.said && html` <q>${other.said}</q>`}</li>`)}</ul>`}
  </div>`;
}
