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

const panel = document.getElementById("simulator");
if (panel) mountSimulator(panel, { flow, draftId: null, onState: (owner, state) => picture.active(`${owner}.${state}`) });

await picture.open(flow, decodeURIComponent(location.hash.slice(1)).replace(`state-${flow}-`, ""));
showCalls();
