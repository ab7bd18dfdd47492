// A flow as a picture that opens readable: searched, focused, followed, with what is wrong and what calls did on it.
// mountPicture(element, {flow, onSelect(state, line, {flow, file}), getTraffic(flow, days), onFlow(flow)}) ->
//   {open(flow, state, draft), show(model), select(state), setErrors(findings), active(state, draft), live(counts)}
// Everything but the element may be left out. `open` fetches a flow's model, GET /api/flows/{flow}/picture; `show` takes
// one. A state is "name" or "flow.name". A finding: {severity, message, remedy} with its `state`, or with `file` and
// `line`; null instead of a list: the model's own. `live`: a Map of state -> calls. One on a page; it needs console.js and brings its style sheet.

import { countsOf, drawFaults, placed } from "./picture_faults.js";
import { legend } from "./picture_legend.js";
import { callersOf, onwardOf, toward } from "./picture_neighbours.js";
import { outlineOf, stateInWords } from "./picture_outline.js";
import { clearTraffic, drawTraffic } from "./picture_traffic.js";
import { READABLE, element, viewOf } from "./picture_view.js";

const TOOLS = `
<div class="tools" role="toolbar" aria-label="Picture">
<span class="group"><button type="button" data-zoom="out" aria-label="Smaller">−</button><button type="button" data-zoom="in" aria-label="Larger">+</button><button type="button" data-zoom="read">Readable</button><button type="button" data-zoom="fit">Whole</button></span>
<span class="group"><label for="find" class="hidden">Find a state</label><input id="find" type="search" placeholder="Find a state" autocomplete="off" maxlength="80" aria-describedby="found-state"><button type="button" data-step="-1" aria-label="Previous match" disabled>‹</button><button type="button" data-step="1" aria-label="Next match" disabled>›</button><span id="found-state" class="quiet" role="status" aria-live="polite"></span></span>
<span class="group"><button type="button" data-toggle="focus" aria-pressed="false">Focus</button><button type="button" data-toggle="traffic" aria-pressed="false">Traffic</button><label class="hidden" for="days">Calls of</label><select id="days" hidden><option value="1">1 day</option><option value="7" selected>7 days</option><option value="30">30 days</option><option value="366">a year</option></select><button type="button" data-toggle="list" aria-pressed="false">List</button><button type="button" data-toggle="legend" aria-pressed="false" aria-expanded="false">Legend</button></span>
<button type="button" class="problems" hidden></button>
<label class="follow"><input type="checkbox" id="follow" checked> Follow the call</label>
<span id="on-it" class="quiet" role="status" aria-live="polite"></span></div>
<nav class="trail" aria-label="Where in the flows"></nav>
<div class="stage"><div class="canvas" id="canvas" tabindex="0" role="group" aria-label="Picture of the flow" aria-describedby="moves"></div>
<svg id="overview" class="overview" tabindex="0" role="group" aria-label="Overview: the arrow keys move what is seen"></svg>
<div class="legend" role="region" aria-label="Legend" tabindex="0" hidden></div>
<div class="outline" role="region" aria-label="The flow as a list" tabindex="0" hidden></div></div>
<section class="told" aria-label="The chosen state" aria-live="polite" tabindex="0" hidden></section>
<p id="moves" class="quiet moves">Arrows or dragging move the picture, n and p choose a state; from it the arrows lead to its neighbours, f focuses on it, Esc leaves it. + and − zoom (the wheel with Ctrl), 0 shows the whole, 1 is readable, / finds.</p>`;

function styled() { // wherever it is mounted, it brings its looks
  if (document.querySelector('link[href="/static/flow_picture.css"]')) return;
  document.head.append(make("link", undefined, { rel: "stylesheet", href: "/static/flow_picture.css" }));
}

const looks = new CSSStyleSheet();

export function mountPicture(root, { flow, onSelect, getTraffic, onFlow } = {}) {
  styled();
  root.classList.add("picture");
  root.innerHTML = TOOLS;
  const part = (selector) => root.querySelector(selector);
  const canvas = part(".canvas"), told = part(".told"), outline = part(".outline"), find = part("#find"), outcome = part("#found-state");
  const view = viewOf(canvas, part(".overview"));
  const toggles = Object.fromEntries([...root.querySelectorAll("[data-toggle]")].map((each) => [each.dataset.toggle, each]));
  let model = null, svg = null, chosen = "", here = "", trail = [], errors = null, traffic = null, counts = new Map(), matches = [], at = -1;

  const pressed = (name) => toggles[name].getAttribute("aria-pressed") === "true";
  const press = (name, on) => toggles[name].setAttribute("aria-pressed", String(on));
  const card = (name) => svg?.querySelector(`[data-state="${model.flow}.${name}"]`) || null;
  const stateOf = (name) => model?.states.find((each) => each.name === name);
  const own = (state) => state.includes(".") ? state.split(".") : [model?.flow || flow, state];

  // -- the model ------------------------------------------------------------------------------------------------------

  function show(next) {
    const same = model?.flow === next.flow;
    model = next;
    looks.replaceSync(model.style);
    if (!document.adoptedStyleSheets.includes(looks)) document.adoptedStyleSheets = [...document.adoptedStyleSheets, looks];
    svg = document.importNode(new DOMParser().parseFromString(model.svg, "image/svg+xml").documentElement, true);
    svg.setAttribute("role", "group"); // here its states can be chosen
    if (!same) { chosen = ""; traffic = null; }
    if (chosen && !stateOf(chosen)) chosen = "";
    view.hold(svg);
    if (!same) { view.zoom(READABLE); view.reveal(svg.querySelector(".card.start"), false); }
    drawTrail();
    marked();
    if (find.value) search(false);
    if (pressed("traffic")) loadTraffic();
  }

  async function open(name, state = "", draft = model?.draft || "") {
    const asked = draft ? `?draft=${encodeURIComponent(draft)}` : "";
    const answer = await fetch(`/api/flows/${encodeURIComponent(name)}/picture${asked}`);
    if (!answer.ok) { outcome.textContent = (await answer.json()).error; return; }
    show(await answer.json());
    onFlow?.(name);
    if (state) select(state, { told: false });
  }

  // everything that is drawn upon the picture, anew
  function marked() {
    markFaults();
    drawChosen();
    drawActive();
    drawLive();
    drawOutline();
    if (traffic) drawTraffic(svg, traffic); else clearTraffic(svg);
  }

  // -- a state and its neighbours ---------------------------------------------------------------------------------------

  function select(state, { told: tell = true, smooth = true } = {}) {
    const [owner, name] = own(state);
    if (owner !== model?.flow) { if (model) open(owner, name); return; }
    if (!stateOf(name)) return;
    chosen = name;
    trail = [...trail.filter((each) => each !== `${owner}.${name}`), `${owner}.${name}`].slice(-6);
    drawChosen();
    drawTrail();
    if (view.scale < READABLE * 0.75) view.zoom(READABLE);
    view.reveal(card(name), smooth);
    const { line, file } = stateOf(name);
    if (tell) onSelect?.(name, line, { flow: owner, file });
  }

  const near = (name) => new Set([name, ...onwardOf(model, name), ...callersOf(model, name)]);

  function drawChosen() {
    const focused = pressed("focus") && chosen;
    svg.querySelectorAll(".picked").forEach((each) => each.classList.remove("picked"));
    svg.querySelectorAll(".near").forEach((each) => each.classList.remove("near"));
    svg.classList.toggle("focused", Boolean(focused));
    card(chosen)?.classList.add("picked");
    if (focused) {
      const around = near(chosen);
      for (const each of svg.querySelectorAll("g.card")) {
        const names = each.dataset.members?.split(" ") || [each.dataset.state.split(".")[1]];
        each.classList.toggle("near", names.some((name) => around.has(name)));
      }
      for (const line of svg.querySelectorAll(".line")) {
        line.classList.toggle("near", line.dataset.from === chosen || line.dataset.to === chosen);
      }
    }
    drawTold();
  }

  function drawTold() {
    const state = stateOf(chosen);
    told.hidden = !state;
    if (!state) return;
    const shown = stateInWords({ model, state, faults: faultsOf(chosen), traffic, go: select, open, callers: callersOf(model, chosen) });
    const close = make("button", "Close", { type: "button", class: "plain close" });
    close.addEventListener("click", leave);
    told.replaceChildren(close, shown);
    for (const item of outline.querySelectorAll("[data-outline]")) {
      const open_ = item.dataset.outline === chosen;
      item.firstElementChild.setAttribute("aria-expanded", String(open_));
      item.querySelector(".in-words")?.remove();
      if (open_) item.append(stateInWords({ model, state, faults: faultsOf(chosen), traffic, go: choose, open, callers: callersOf(model, chosen) }));
    }
  }

  function leave() {
    press("focus", false);
    chosen = "";
    drawChosen();
    drawTrail();
    canvas.focus();
  }

  function drawTrail() {
    const list = make("ol");
    const crumb = (text, action, current) => {
      const item = make("li"), button = make("button", text, { type: "button", class: "plain" });
      if (current) button.setAttribute("aria-current", "true");
      button.addEventListener("click", action);
      item.append(button);
      list.append(item);
    };
    crumb(model.flow, () => { leave(); view.reveal(svg.querySelector(".card.start")); }, !chosen);
    for (const each of trail) crumb(each.startsWith(`${model.flow}.`) ? each.slice(model.flow.length + 1) : each, () => select(each), each === `${model.flow}.${chosen}`);
    part(".trail").replaceChildren(list);
  }

  // -- what is wrong ----------------------------------------------------------------------------------------------------

  const faults = () => (errors || model.findings).map((each) => placed(model, each)).filter((each) => each.severity !== "note" && (each.flow || model.flow) === model.flow);
  const faultsOf = (name) => faults().filter((each) => each.state === name);

  function setErrors(list) {
    errors = list && list.map((each) => {
      const [owner, state] = own(each.state || "");
      return { ...each, flow: each.flow || (state ? owner : ""), state };
    });
    if (!model) return;
    markFaults();
    drawTold();
    drawOutline();
  }

  function markFaults() {
    const { bad, words } = countsOf(faults()), button = part(".problems");
    drawFaults(svg, faults(), card);
    button.hidden = !words;
    button.textContent = words;
    button.classList.toggle("error", bad > 0);
  }

  part(".problems").addEventListener("click", () => {
    const bad = faults().sort((one, other) => (one.severity !== "error") - (other.severity !== "error"));
    const names = [...new Set(bad.map((each) => each.state).filter(Boolean))];
    if (names.length) choose(names[(names.indexOf(chosen) + 1) % names.length]);
    else outcome.textContent = bad.map((each) => each.message).join(" ");
  });

  // -- calls: the simulated one, live ones, past ones ---------------------------------------------------------------------

  async function active(state, draft) {
    here = state ? own(state).join(".") : "";
    if (!model) return;
    const [owner, name] = here.split(".");
    const follows = part("#follow").checked;
    if (here && follows && owner !== model.flow && model.flows.includes(owner)) { await open(owner, "", draft); view.reveal(card(name)); return; }
    drawActive();
    if (here && follows && owner === model.flow) view.reveal(card(name));
  }

  function drawActive() {
    svg.querySelectorAll(".current").forEach((each) => each.classList.remove("current"));
    const [owner, name] = here.split(".");
    if (owner === model.flow) card(name)?.classList.add("current");
  }

  function live(now) { counts = now; if (model) drawLive(); }

  function drawLive() {
    svg.querySelectorAll(".live-here").forEach((each) => each.classList.remove("live-here"));
    let total = 0;
    for (const [state, count] of counts) {
      const [owner, name] = state.split(".");
      if (owner !== model.flow) continue;
      card(name)?.classList.add("live-here");
      total += count;
    }
    part("#on-it").textContent = total ? `${total} live ${total === 1 ? "call" : "calls"} here` : "";
  }

  async function loadTraffic() {
    const asked = model.flow, days = Number(part("#days").value);
    const usual = async () => (await fetch(`/api/flows/${encodeURIComponent(asked)}/traffic?days=${days}`)).json();
    const found = await (getTraffic ? getTraffic(asked, days) : usual());
    if (asked !== model.flow || !pressed("traffic")) return;
    if (found.error) { outcome.textContent = found.error; return; }
    traffic = found;
    drawTraffic(svg, traffic);
    drawTold();
    outcome.textContent = `${traffic.calls} ${traffic.calls === 1 ? "call" : "calls"} in ${part("#days").selectedOptions[0].textContent}`;
  }
  part("#days").addEventListener("change", loadTraffic);

  // -- search -------------------------------------------------------------------------------------------------------------

  function search(moving = true) {
    const wanted = find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const text = (each) => `${each.name} ${each.does} ${each.about} ${each.words}`.toLowerCase();
    matches = wanted.length ? model.states.filter((each) => wanted.every((word) => text(each).includes(word))) : [];
    const named = (each) => each.name.toLowerCase().includes(wanted.join("_")) ? 0 : 1;
    matches.sort((one, other) => named(one) - named(other)); // those called so before those that say so
    svg.querySelectorAll(".match, .chosen").forEach((each) => each.classList.remove("match", "chosen"));
    matches.forEach((each) => card(each.name)?.classList.add("match"));
    for (const item of outline.querySelectorAll("[data-outline]")) item.hidden = wanted.length > 0 && !matches.some((each) => each.name === item.dataset.outline);
    root.querySelectorAll("[data-step]").forEach((each) => { each.disabled = !matches.length; });
    at = -1;
    outcome.textContent = wanted.length ? `${matches.length || "no"} ${matches.length === 1 ? "state" : "states"}` : "";
    if (matches.length && moving) step(1);
  }

  function step(by) {
    if (!matches.length) return;
    if (at >= 0) card(matches[at].name)?.classList.remove("chosen");
    at = (at + by + matches.length) % matches.length;
    const name = matches[at].name;
    card(name)?.classList.add("chosen");
    if (view.scale < READABLE) view.zoom(READABLE);
    if (pressed("focus")) select(name); else view.reveal(card(name));
    outcome.textContent = `${at + 1} of ${matches.length}: ${name}`;
  }
  find.addEventListener("input", () => search());
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); step(event.shiftKey ? -1 : 1); }
    if (event.key === "Escape") { find.value = ""; search(); canvas.focus(); }
  });
  root.querySelectorAll("[data-step]").forEach((each) => each.addEventListener("click", () => step(Number(each.dataset.step))));

  // -- the list, the legend -----------------------------------------------------------------------------------------------

  function choose(name) {
    select(name, { smooth: !pressed("list") });
    if (pressed("list")) outline.querySelector(`[data-outline="${name}"] > button`)?.focus();
  }

  function drawOutline() {
    outline.hidden = !pressed("list");
    canvas.classList.toggle("aside", pressed("list"));
    part(".overview").classList.toggle("aside", pressed("list"));
    outline.replaceChildren(...(pressed("list") ? [outlineOf({ model, faultsOf, choose })] : []));
    root.classList.toggle("listed", pressed("list"));
    if (pressed("list") && chosen) drawTold();
  }

  part(".legend").append(legend());

  const DO = {
    focus: (on) => { if (on && !chosen) chosen = model.start; drawChosen(); if (on) select(chosen); },
    traffic: (on) => { part("#days").hidden = !on; if (on) loadTraffic(); else { traffic = null; clearTraffic(svg); drawTold(); outcome.textContent = ""; } },
    list: () => drawOutline(),
    legend: (on) => { part(".legend").hidden = !on; toggles.legend.setAttribute("aria-expanded", String(on)); },
  };
  function toggle(name) {
    if (!model) return;
    press(name, !pressed(name));
    DO[name](pressed(name));
  }
  for (const name of Object.keys(toggles)) toggles[name].addEventListener("click", () => toggle(name));
  for (const button of root.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => view.zooms[button.dataset.zoom]());

  // -- keyboard: arrows scroll as everywhere, and lead from a chosen state to its neighbours ------------------------------------------------------------------------------

  function beside(by) {
    const names = model.states.map((each) => each.name), now = names.indexOf(chosen);
    select(chosen ? names[(now + by + names.length) % names.length] : model.start);
  }
  function onward(event) {
    if (!chosen || !event.key.startsWith("Arrow")) return false;
    const next = toward(model, chosen, event.key);
    if (next) select(next);
    return true;
  }
  const KEYS = {
    "+": view.zooms.in, "=": view.zooms.in, "-": view.zooms.out, _: view.zooms.out, 0: view.zooms.fit, 1: view.zooms.read,
    f: () => toggle("focus"), "/": () => find.focus(), n: () => beside(1), p: () => beside(-1), Escape: leave,
    o: () => { const calls = stateOf(chosen)?.calls; if (calls) open(calls); },
    Enter: () => { if (chosen) select(chosen); },
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== canvas || !model) return;
    if (!onward(event) && !(event.key in KEYS)) return;
    event.preventDefault();
    KEYS[event.key]?.();
  });
  canvas.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]"), on = event.target.closest("[data-state]");
    if (link) { event.preventDefault(); select(link.getAttribute("href").replace(`#state-${model.flow}-`, "")); }
    else if (on) select(on.dataset.state);
  });
  canvas.addEventListener("dblclick", (event) => {
    const calls = stateOf(event.target.closest("[data-state]")?.dataset.state.split(".")[1])?.calls;
    if (calls) open(calls);
  });

  return { show, select, setErrors, active, live, open };
}
