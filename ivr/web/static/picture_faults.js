// What is wrong with a flow, on its picture: each finding at its state, and how many there are of them.

import { element } from "./picture_view.js";

// where a finding stands in a file only, its state is the one around that line
export function placed(model, fault) {
  if (fault.state || !fault.file || !fault.line) return fault;
  const file = fault.file.split("/").pop();
  const around = model.states.find((each) => each.file.split("/").pop() === file && each.line <= fault.line && fault.line <= each.last);
  return around ? { ...fault, flow: model.flow, state: around.name } : fault;
}

export function drawFaults(svg, faults, card) {
  svg.querySelectorAll(".fault-mark").forEach((each) => each.remove());
  for (const name of ["error", "warning"]) svg.querySelectorAll(`.card.${name}`).forEach((each) => each.classList.remove(name));
  for (const name of new Set(faults.map((each) => each.state).filter(Boolean))) {
    const found = faults.filter((each) => each.state === name), there = card(name);
    if (!there) continue;
    there.classList.add(found.some((each) => each.severity === "error") ? "error" : "warning");
    const mark = element("g", { class: "fault-mark" });
    mark.append(element("title", {}, found.map((each) => `${each.severity}: ${each.message}`).join("\n")),
      element("circle", { cx: 3, cy: 3, r: 8.5 }), element("text", { x: 3, y: 7.2 }, found.length > 1 ? found.length : "!"));
    there.append(mark);
  }
}

// "2 errors, 1 warning"; "" where there are none
export function countsOf(faults) {
  const bad = faults.filter((each) => each.severity === "error").length, doubts = faults.length - bad;
  const some = (count, noun) => count ? `${count} ${noun}${count === 1 ? "" : "s"}` : "";
  return { bad, words: [some(bad, "error"), some(doubts, "warning")].filter(Boolean).join(", ") };
}
