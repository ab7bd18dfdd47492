// A day's history: waits announced against real, seconds to a person, who gave up, zero-outs, saves, goodwill.

import { html, useEffect, useRef, useState } from "/static/htm_preact.js";
import { lasted, percent } from "/static/board_live.js";

const zone = document.documentElement.dataset.zone;
const HEIGHT = 230;
const colour = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia("(prefers-color-scheme: dark)");

// uPlot draws on a canvas; its colours follow the theme, its width the page's.
function Plot({ label, data, series, axes = [{}, {}], scales = {} }) {
  const place = useRef(null);
  const plot = useRef(null);
  useEffect(() => {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--edge"), width: 1 }, ticks: { stroke: colour("--edge"), width: 1 },
      font: "12px system-ui", labelFont: "12px system-ui", labelSize: 18 };
    const drawn = new uPlot({ width: place.current.clientWidth, height: HEIGHT, legend: { show: false }, scales,
      cursor: { show: false }, series: [{}, ...series], axes: axes.map((own) => ({ ...axis, ...own })),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), zone) }, data, place.current);
    plot.current = drawn;
    const size = new ResizeObserver(() => drawn.setSize({ width: place.current.clientWidth, height: HEIGHT }));
    size.observe(place.current);
    const redraw = () => drawn.redraw();
    dark.addEventListener("change", redraw);
    return () => { size.disconnect(); dark.removeEventListener("change", redraw); drawn.destroy(); };
  }, []);
  useEffect(() => plot.current?.setData(data), [data]);
  return html`<div class="plot" ref=${place} role="img" aria-label=${label}></div>`;
}

// A mark for each point, by its shape: colours only help.
function marks(draw, name, filled) {
  return { paths: () => null, stroke: colour(name), points: { show: true, width: 2, stroke: colour(name), fill: filled ? colour(name) : undefined,
    paths: (plot, index, from, to) => {
      const path = new Path2D();
      const size = 4 * devicePixelRatio;
      for (let i = from; i <= to; i++) {
        const value = plot.data[index][i];
        if (value === null || value === undefined) continue;
        draw(path, plot.valToPos(plot.data[0][i], "x", true), plot.valToPos(value, "y", true), size);
      }
      return { stroke: path, fill: filled ? path : null, clip: null, flags: 3 };
    } } };
}

const dash = (path, x, y, r) => { path.moveTo(x - 1.5 * r, y); path.lineTo(x + 1.5 * r, y); };
const dot = (path, x, y, r) => { path.moveTo(x + 0.7 * r, y); path.arc(x, y, 0.7 * r, 0, 2 * Math.PI); };
const cross = (path, x, y, r) => {
  path.moveTo(x - r, y - r); path.lineTo(x + r, y + r); path.moveTo(x + r, y - r); path.lineTo(x - r, y + r);
};

function Waits({ announced, kept }) {
  const data = [announced.map((a) => a.at), announced.map((a) => a.said_min), announced.map((a) => (a.kept ? a.true_min : null)),
    announced.map((a) => (a.kept ? null : a.true_min))];
  return html`<figure><figcaption><h3>Waits: announced and real</h3>
    <p>${kept.made ? `${percent(kept)} of ${kept.made} announced bounds were kept.` : "No announced bound has come due yet."} <span class="legend">— said “less than”, ● real, ✕ real and longer than said; minutes</span></p></figcaption>
    ${announced.length ? html`<${Plot} label=${`${kept.kept} of ${kept.made} announced waits were kept`} data=${data}
      series=${[marks(dash, "--soft", false), marks(dot, "--accent", true), marks(cross, "--bad", false)]}
      axes=${[CLOCK, {}]} scales=${{ y: { range: (u, low, high) => [0, Math.max(2, Math.ceil(high ?? 0) + 1)] } }} />`
      : html`<p class="empty">Nobody was told a wait.</p>`}</figure>`;
}

// Wall-clock times; seconds only where the announcements are that close.
const clock = (second) => new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second, hourCycle: "h23", timeZone: zone });
const CLOCK = { space: 70, values: (u, splits, axis, space, step) => splits.map((at) => clock(step < 60 ? "2-digit" : undefined).format(at * 1e3)) };

function byHour(hours, name) { return [hours.map((h) => h.hour), hours.map((h) => h[name])]; }

const HOURS = { values: (u, splits) => splits.map((hour) => (Number.isInteger(hour) ? String(hour) : "")), label: "hour of the day" };
const DAY = { x: { time: false, range: [-0.7, 23.7] } };
const from = { y: { range: (u, low, high) => [0, Math.max(4, (high ?? 0) * 1.1)] } };

function ToHuman({ hours, told }) {
  return html`<figure><figcaption><h3>Seconds to a person</h3><p>${told.calls
    ? `Median ${told.median_s} s, nine of ten within ${told.p90_s} s, of ${told.calls} calls.` : "No call reached a person."}
    <span class="legend">● median by hour, seconds</span></p></figcaption>
    ${told.calls ? html`<${Plot} label="Median seconds to a person, by hour" data=${byHour(hours, "to_human_s")}
      series=${[{ ...marks(dot, "--accent", true), paths: undefined, width: 2, spanGaps: true }]} axes=${[HOURS, {}]} scales=${{ ...DAY, ...from }} />`
      : html`<p class="empty">Nothing to show.</p>`}</figure>`;
}

function Abandonment({ hours, told }) {
  const bars = (name, fill) => ({ stroke: colour(name), width: 2, fill: fill ? colour(name) : undefined, points: { show: false },
    paths: uPlot.paths.bars({ size: [0.7, 30] }) });
  return html`<figure><figcaption><h3>Callers, and who gave up</h3><p>${percent(told)} gave up${told.made ? `, ${told.kept} of ${told.made}` : ""}.
    <span class="legend">□ callers, ■ gave up; by hour</span></p></figcaption>
    ${told.made ? html`<${Plot} label="Callers and who gave up, by hour" data=${[hours.map((h) => h.hour), hours.map((h) => h.callers || null), hours.map((h) => h.abandoned || null)]}
      series=${[bars("--accent", false), bars("--bad", true)]} axes=${[HOURS, {}]} scales=${{ ...DAY, ...from }} />`
      : html`<p class="empty">Nobody waited.</p>`}
    <details><summary>By hour, in numbers</summary><table><thead><tr><th scope="col">Hour</th><th scope="col">Callers</th><th scope="col">Gave up</th>
      <th scope="col">To a person</th></tr></thead><tbody>${hours.filter((h) => h.callers || h.to_human_s !== null).map((h) => html`<tr key=${h.hour}>
      <th scope="row">${h.hour}–${h.hour + 1}</th><td class="figure">${h.callers}</td><td class="figure">${h.abandoned}</td>
      <td class="figure">${h.to_human_s === null ? "" : `${h.to_human_s} s`}</td></tr>`)}</tbody></table></details></figure>`;
}

function ZeroOuts({ zero_outs: states }) {
  const most = Math.max(1, ...states.map(([, count]) => count));
  return html`<figure><figcaption><h3>Zero-outs by state</h3><p>Where callers asked for a person, and nothing else had led there.</p></figcaption>
    ${states.length ? html`<table class="bars"><tbody>${states.slice(0, 12).map(([state, count]) => html`<tr key=${state}>
      <th scope="row"><code>${state}</code></th><td class="figure">${count}</td>
      <td class="wide" aria-hidden="true"><span class="bar" style=${{ width: `${(100 * count) / most}%` }}></span></td></tr>`)}</tbody></table>`
      : html`<p class="empty">Nobody asked for a person.</p>`}</figure>`;
}

function Saves({ at_risk: risk }) {
  return html`<figure><figcaption><h3>Callers at risk</h3><p>Whom a risk of the flows made urgent, and how it came out.</p></figcaption>
    <dl class="pairs"><div><dt>At risk</dt><dd class="figure">${risk.callers}</dd></div><div><dt>Saved</dt><dd class="figure">${risk.saved}${
      risk.saved + risk.lost ? `, ${Math.round((100 * risk.saved) / (risk.saved + risk.lost))} % of those that are told` : ""}</dd></div>
    <div><dt>Cancelled</dt><dd class="figure">${risk.lost}</dd></div><div><dt>Not told</dt><dd class="figure">${risk.untold}</dd></div></dl></figure>`;
}

function Goodwill({ goodwill }) {
  return html`<figure><figcaption><h3>Goodwill</h3><p>Who gives least comes first: giving too little costs callers as well.</p></figcaption>
    ${goodwill.length ? html`<table><thead><tr><th scope="col">Agent</th><th scope="col">Conversations</th><th scope="col">At risk</th>
      <th scope="col">Grants</th></tr></thead><tbody>${goodwill.map((row) => html`<tr key=${row.agent}><th scope="row">${row.agent}</th>
      <td class="figure">${row.conversations}</td><td class="figure">${row.at_risk}</td>
      <td class="figure">${row.grants}${row.at_risk && !row.grants ? " (none, with callers at risk)" : ""}</td></tr>`)}</tbody></table>`
      : html`<p class="empty">No conversations.</p>`}</figure>`;
}

export function History({ today, figures }) {
  const [day, setDay] = useState(today);
  const [told, setTold] = useState(null);
  const [trouble, setTrouble] = useState("");
  const moving = day === today ? JSON.stringify(figures) : "";
  useEffect(() => {
    if (!day) return undefined;
    let wanted = true;
    (async () => {
      try {
        const answer = await fetch(`/board/day?day=${encodeURIComponent(day)}`, { headers: { Accept: "application/json" } });
        const found = await answer.json();
        if (!answer.ok) throw new Error(found.error);
        if (wanted) { setTold(found); setTrouble(""); }
      } catch (error) {
        if (wanted) setTrouble(`This day can't be shown: ${error.message}.`);
      }
    })();
    return () => { wanted = false; };
  }, [day, moving]);
  return html`<section aria-labelledby="history-title" class="history"><div class="title"><h2 id="history-title">History</h2>
    <p class="field"><label for="day">Day (${zone})</label><input id="day" type="date" max=${today} value=${day} onInput=${(event) => setDay(event.target.value)} /></p></div>
    ${trouble && html`<p class="error" role="alert">${trouble}</p>`}
    ${told && html`<div class="plots" key=${told.day}>
      <${Waits} announced=${told.announced} kept=${told.promises.waits} />
      <${ToHuman} hours=${told.hours} told=${told.to_human} />
      <${Abandonment} hours=${told.hours} told=${told.abandoned} />
      <${ZeroOuts} ...${told} /><${Saves} ...${told} /><${Goodwill} ...${told} />
    </div>
    <p class="quiet">${told.conversations.count} conversations${told.conversations.median_s ? `; half of them lasted ${lasted(told.conversations.median_s * 1000)} or more` : ""}. That is recorded, and no target.</p>`}
  </section>`;
}
