// A picture in words: one state with its ways in and out, and the outline of all states, for phones and screen readers.

import { percent } from "./picture_traffic.js";

const PLACES = { human: "a person", goodbye: "goodbye", back: "back where they were", again: "the same question again", repeat: "what was said, again", machine: "back to the dialogue" };

function put(parent, ...children) { parent.append(...children.filter(Boolean)); return parent; }

function ways(title, items) {
  if (!items.length) return null;
  const box = make("div", undefined, { class: "ways" }), list = make("ul");
  list.append(...items);
  return put(box, make("h4", title), list);
}

// `at`: {model, state, faults, traffic, go(name), open(flow)}
export function stateInWords({ model, state, faults, traffic, go, open, callers }) {
  const box = make("div", undefined, { class: "in-words" });
  const head = put(make("h3"), make("span", state.name), make("span", state.does, { class: "quiet" }));
  const found = traffic?.states[state.name];
  put(box, head);
  for (const fault of faults) {
    const line = make("p", undefined, { class: `fault ${fault.severity}` });
    put(line, make("strong", fault.severity === "error" ? "Error" : fault.severity === "warning" ? "Warning" : "Note"), ` ${fault.message}`);
    if (fault.remedy) put(line, make("span", ` → ${fault.remedy}`, { class: "quiet" }));
    box.append(line);
  }
  if (state.about) box.append(make("p", state.about, { class: "quiet" }));
  if (state.says) box.append(make("p", `“${state.says}”`, { class: "says" }));
  if (found) box.append(make("p", `Entered ${found.entered === 1 ? "once" : `${found.entered} times`}${found.left ? `, ${found.left} hung up here (${percent(found.left / found.entered)})` : ""}`, { class: "quiet" }));
  if (state.calls && model.flows.includes(state.calls)) {
    const button = make("button", `Open the flow ${state.calls}`, { type: "button", class: "plain", "data-open": state.calls });
    button.addEventListener("click", () => open(state.calls));
    box.append(button);
  }
  const link = (name, text) => {
    const item = make("li"), button = make("button", name, { type: "button", class: "plain", "data-go": name });
    button.addEventListener("click", () => go(name));
    return put(item, button, text && make("span", text, { class: "quiet" }));
  };
  const load = (to) => {
    const way = traffic?.ways.find((each) => each.from === state.name && each.to === to);
    return way ? ` · ${way.times} (${percent(way.share)})` : "";
  };
  const merged = new Map();
  for (const way of state.ways) {
    const said = [...(merged.get(way.to)?.said || []), (way.key ? `key ${way.key}: ` : "") + way.text];
    merged.set(way.to, { way, said: [...new Set(said)] });
  }
  const onward = [...merged].map(([to, { way, said }]) => {
    const text = said.join(" · ") + load(to);
    if (way.state) return link(to, text);
    return put(make("li"), make("span", PLACES[to] || `${to} (there is no such state)`, { class: PLACES[to] ? "" : "error" }), make("span", text, { class: "quiet" }));
  });
  put(box, ways("From", callers.map((name) => link(name))), ways("On to", onward));
  return box;
}

export function outlineOf({ model, faultsOf, choose }) {
  const list = make("ol", undefined, { class: "outline-states" });
  const inOrder = [...model.states].sort((one, other) => (other.name === model.start) - (one.name === model.start));
  for (const state of inOrder) {
    const faults = faultsOf(state.name);
    const item = make("li", undefined, { "data-outline": state.name });
    const worst = faults.some((fault) => fault.severity === "error") ? "error" : faults.length ? "warning" : "";
    const button = make("button", undefined, { type: "button", class: `outline-state ${worst}`, "aria-expanded": "false" });
    const name = put(make("span", undefined, { class: "name" }), state.name, state.name === model.start && make("span", "start", { class: "tag" }),
      worst && make("span", worst === "error" ? "error" : "warning", { class: `tag ${worst}` }));
    put(button, name, make("span", state.does, { class: "quiet" }), state.says && make("span", `“${state.says}”`, { class: "says" }));
    button.addEventListener("click", () => choose(state.name));
    list.append(put(item, button));
  }
  return list;
}
