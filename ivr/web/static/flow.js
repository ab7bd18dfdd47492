// One flow: its picture with the live calls on it, and the simulator beside it, which it follows.

import { mountPicture } from "./flow_picture.js";
import { mountSimulator } from "./simulator_panel.js";

const bench = document.querySelector(".workbench");
const flow = bench.dataset.flow;
const picture = mountPicture(document.getElementById("picture"), { flow });

function showCalls() {
  const counts = new Map();
  for (const call of latest?.calls || []) counts.set(call.state, (counts.get(call.state) || 0) + 1);
  picture.live(counts);
}
document.addEventListener("ivr:now", showCalls);

// -- files that do not serve, rejected or held: drawn as far as they can be understood, with what is wrong -----------------

const rejected = document.getElementById("rejected"), other = rejected.querySelector("button");
let drawn = "", told = ""; // the draft that is shown, and the banner of that moment

function draw(draft) {
  drawn = draft;
  other.textContent = draft ? "Show what is live" : "Show them";
  return picture.open(flow, "", draft).then(showCalls);
}
other.addEventListener("click", () => draw(drawn ? "" : "newest"));

function showRejected() {
  const banner = latest?.flows.banner || "";
  rejected.hidden = !banner;
  if (drawn && banner !== told) draw(banner ? "newest" : "");
  told = banner;
}
document.addEventListener("ivr:now", showRejected);

const panel = document.getElementById("simulator");
if (panel) mountSimulator(panel, { flow, draftId: null, onState: (owner, state) => picture.active(`${owner}.${state}`) });

showRejected();
await picture.open(flow, decodeURIComponent(location.hash.slice(1)).replace(`state-${flow}-`, ""));
showCalls();
