// One flow: the live calls on its picture (picture.js), and a telephone made of text to try it with.
"use strict";

function showCalls() {
  const counts = new Map();
  for (const call of latest?.calls || []) {
    if (call.state.startsWith(`${flow}.`)) counts.set(call.state, (counts.get(call.state) || 0) + 1);
  }
  svg.querySelectorAll(".live-here").forEach((element) => element.classList.remove("live-here"));
  let total = 0;
  for (const [state, count] of counts) {
    card(state)?.classList.add("live-here");
    total += count;
  }
  document.getElementById("on-it").textContent = total ? `${total} live ${total === 1 ? "call" : "calls"} here` : "";
}
document.addEventListener("ivr:now", showCalls);
showCalls();

// -- the telephone --------------------------------------------------------------------------------------------------

const talk = document.getElementById("talk");
const controls = bench.querySelectorAll(".simulator [disabled]");
const WHO = { caller: "You", prompt: "Line", heard: "Heard", action: "Action", handoff: "Human", end: "End", error: "Broken", state: "State", waiting: "Calling" };
let socket = null;

function add(kind, text) {
  const line = make("li", undefined, { class: kind });
  line.append(make("span", WHO[kind] || kind, { class: "who" }), make("span", text, { class: "what" }));
  talk.append(line);
  talk.scrollTop = talk.scrollHeight;
}

function show(told) {
  talk.querySelector(".waiting")?.remove();
  if (told.error) { add("error", told.error); return; }
  for (const entry of told.entries) if (entry.text) add(entry.kind, entry.text);
  if (told.text) add("other", told.text);
  svg.querySelectorAll(".current").forEach((element) => element.classList.remove("current"));
  // a sub-flow that has returned leaves its mark where it ended
  const here = [told.state, ...told.states.toReversed()].map(card).find(Boolean);
  here?.classList.add("current");
  if (document.getElementById("follow").checked) reveal(here);
  document.getElementById("state").textContent = told.state || "–";
  const slots = Object.entries(told.slots).map(([name, value]) => {
    const pair = make("div");
    pair.append(make("dt", name), make("dd", String(value)));
    return pair;
  });
  document.getElementById("slots").replaceChildren(...slots);
  const records = Object.entries(told.records).map(([name, held]) => {
    const pair = make("div"), list = make("ol");
    list.dataset.record = name;
    list.append(...[held].flat().map((item) => make("li", item)));
    pair.append(make("strong", name), list);
    return pair;
  });
  document.getElementById("records").replaceChildren(...records);
}

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function connect(started) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/flows/${encodeURIComponent(flow)}/simulator`);
  socket.onopen = started;
  socket.onmessage = (event) => show(JSON.parse(event.data));
  socket.onclose = () => {
    controls.forEach((element) => { element.disabled = true; });
    add("error", "The simulator is closed: call to begin again.");
  };
}

document.getElementById("dial")?.addEventListener("submit", (event) => {
  event.preventDefault();
  talk.replaceChildren();
  bench.querySelectorAll("[data-part]").forEach((box) => { box.checked = false; });
  const call = { caller: document.getElementById("caller").value, language: document.getElementById("language").value };
  const start = () => {
    controls.forEach((element) => { element.disabled = false; });
    add("waiting", "the first call of a version takes some seconds");
    send({ call });
    document.getElementById("words").focus();
  };
  if (socket && socket.readyState === WebSocket.OPEN) start(); else connect(start);
});

document.getElementById("say")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = document.getElementById("words");
  if (words.value.trim()) send({ line: words.value.trim() });
  words.value = "";
});

bench.querySelectorAll("[data-line]").forEach((button) => {
  button.addEventListener("click", () => send({ line: button.dataset.line }));
});
bench.querySelectorAll("[data-part]").forEach((box) => {
  box.addEventListener("change", () => send({ line: `/${box.checked ? "fail" : "mend"} ${box.dataset.part}` }));
});
