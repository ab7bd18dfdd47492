// The legend of a picture: what the colours, lines and marks mean.

const KINDS = {
  question: "asks", say: "says", action: "does something", branch: "decides", call: "calls a flow", handoff: "gets a person",
  return: "returns", end: "hangs up", resume: "takes a dropped call up",
};
const MARKS = {
  "line-drawn": "a way on", "line-failed": "when something fails", "pill-sign": "a way back, or to a place that many lead to",
  "mark-error": "an error there", "mark-warning": "a warning there", "mark-here": "the simulated call", "mark-live": "live calls",
};

export function legend() {
  const list = make("ul", undefined, { class: "flow-legend" });
  list.append(...Object.entries({ ...KINDS, ...MARKS }).map(([kind, meaning]) => make("li", meaning, { class: kind })));
  return list;
}
