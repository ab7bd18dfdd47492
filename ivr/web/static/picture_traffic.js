// Traffic on a picture: lines as wide as calls take them, numbers at their beginnings, and where callers hung up.

import { element } from "./picture_view.js";

const CARD = 226; // a card's width
const brief = (times) => times < 10000 ? String(times) : `${Math.round(times / 1000)}k`;
export const percent = (share) => share && share < 0.01 ? "<1 %" : `${Math.round(share * 100)} %`;

export function clearTraffic(svg) {
  svg.classList.remove("trafficked");
  svg.querySelectorAll(".load").forEach((each) => each.remove());
  for (const path of svg.querySelectorAll(".line.busy > path")) path.setAttribute("stroke-width", "1.2");
  svg.querySelectorAll(".line").forEach((line) => line.classList.remove("busy"));
}

export function drawTraffic(svg, traffic) {
  clearTraffic(svg);
  svg.classList.add("trafficked");
  const taken = new Map(traffic.ways.map((way) => [`${way.from} ${way.to}`, way]));
  for (const line of svg.querySelectorAll(".line")) {
    const way = taken.get(`${line.dataset.from} ${line.dataset.to}`);
    if (!way) continue;
    line.classList.add("busy");
    line.querySelector("path").setAttribute("stroke-width", way.width);
  }
  for (const card of svg.querySelectorAll("g.card:not(.member)")) {
    const members = card.dataset.members?.split(" ") || [card.dataset.state.split(".")[1]];
    for (const row of card.querySelectorAll(".way")) {
      const ways = members.map((name) => taken.get(`${name} ${row.dataset.to}`)).filter(Boolean);
      if (!ways.length) continue;
      const label = row.querySelector(".label"), times = ways.reduce((sum, way) => sum + way.times, 0);
      const shown = element("text", { class: "load count", x: CARD + 5, y: label.getAttribute("y") - 5 }, brief(times));
      shown.append(element("title", {}, ways.map((way) => `${way.times} times, ${percent(way.share)} of those in ${way.from}`).join("\n")));
      row.append(shown);
    }
  }
  for (const [name, { entered, left }] of Object.entries(traffic.states)) {
    const card = svg.querySelector(`[data-state="${traffic.flow}.${name}"]`);
    if (!card) continue;
    if (!card.classList.contains("member")) {
      card.append(element("text", { class: "load count end", x: CARD - 30, y: 16 }, brief(entered)));
    }
    if (left) {
      const shown = element("text", { class: "load left end", x: CARD - 4, y: -4 }, `▾ ${left} hung up, ${percent(left / entered)}`);
      card.append(shown);
    }
  }
}
