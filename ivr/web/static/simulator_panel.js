// The simulator: a telephone made of text. One simulated caller, by words and keys; what it knows, and what it asks of whom.
// mountSimulator(element, {flow, draftId, onState(flow, state)}) -> {restart(draftId), settled()}. `draftId`: null for what is live;
// left out of `restart`, it is the one before. One on a page; it needs console.js, and flow_picture.css for its looks.

const PANEL = `
<h2 id="try">Try it</h2>
<form id="dial" class="line"><label for="caller">From</label><input id="caller" value="5035550101" inputmode="tel" autocomplete="off"><label for="language" class="hidden">Language</label><select id="language"></select><button class="primary">Call</button></form>
<ol id="talk" class="story talk" aria-live="polite" aria-label="Conversation" tabindex="0"></ol>
<form id="say" class="line"><label for="words" class="hidden">Say</label><input id="words" placeholder="Say something, or type keys" autocomplete="off" maxlength="300" disabled><button disabled>Say</button></form>
<div class="keypad" role="group" aria-label="Keypad"></div>
<div class="line wrap" role="group" aria-label="What else may happen"><button type="button" data-line="/silence" disabled>Silence</button><button type="button" data-line="/hangup" disabled>Hang up</button><button type="button" data-line="/call" disabled>Call again</button></div>
<div class="facts"><p><strong>State</strong> <code id="state">–</code></p>
<div><strong>Variables</strong><dl id="slots" class="pairs"></dl></div>
<div id="asked" hidden><strong>Done and asked of services</strong><ol class="requests" tabindex="0" aria-live="polite" aria-label="Done and asked of services"></ol></div>
<form id="answers" class="services" hidden><label for="service">What</label><select id="service"></select><label for="answer">answers</label><input id="answer" placeholder='404, silence, or {"name": "Ada"}' autocomplete="off" maxlength="1500" disabled><button disabled>Set</button></form>
<fieldset class="line wrap parts"><legend>Break</legend></fieldset>
<div id="records"></div></div>`;
const WHO = { caller: "You", prompt: "Line", heard: "Heard", action: "Action", handoff: "Human", end: "End", error: "Broken", state: "State", waiting: "Calling" };

export function mountSimulator(root, { draftId = null, onState, flow = "main" } = {}) {
  root.classList.add("simulator");
  root.innerHTML = PANEL;
  root.setAttribute("aria-labelledby", "try");
  const part = (selector) => root.querySelector(selector);
  const talk = part("#talk"), words = part("#words");
  let socket = null, opening = null, asking = 0;
  for (const key of "123456789*0#") {
    part(".keypad").append(make("button", key, { type: "button", "data-line": key, disabled: "" }));
  }
  const controls = () => root.querySelectorAll(".keypad button, .line [data-line], #say :is(input, button), #answers :is(input, button), [data-part]");
  const able = (on) => controls().forEach((each) => { each.disabled = !on; });
  const send = (message) => { if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)); };

  // what can be chosen depends on the flows, which a draft changes
  async function fit() {
    const draft = draftId ? `?draft=${encodeURIComponent(draftId)}` : "", mine = ++asking;
    const answer = await fetch(`/api/flows/${encodeURIComponent(flow)}/bench${draft}`);
    const bench = await answer.json();
    if (mine !== asking) return;
    if (!answer.ok) { add("error", bench.error); return; }
    const chosen = part("#language").value;
    part("#language").replaceChildren(...bench.languages.map((tag) => make("option", tag)));
    if (bench.languages.includes(chosen)) part("#language").value = chosen;
    part("#service").replaceChildren(...bench.services.map((name) => make("option", name)));
    part("#answers").hidden = !bench.services.length;
    const parts = part(".parts"), on = socket?.readyState === WebSocket.OPEN;
    if (parts.childElementCount === 1) {
      for (const name of bench.parts) {
        const label = make("label"), box = make("input", undefined, { type: "checkbox", "data-part": name });
        box.disabled = !on;
        box.addEventListener("change", () => send({ line: `/${box.checked ? "fail" : "mend"} ${name}` }));
        label.append(box, ` ${name}`);
        parts.append(label);
      }
    }
  }

  function add(kind, text) {
    const line = make("li", undefined, { class: kind });
    line.append(make("span", WHO[kind] || kind, { class: "who" }), make("span", text, { class: "what" }));
    talk.append(line);
    talk.scrollTop = talk.scrollHeight;
  }

  function pairs(values) {
    return Object.entries(values).map(([name, value]) => {
      const pair = make("div");
      pair.append(make("dt", name), make("dd", String(value)));
      return pair;
    });
  }

  function show(told) {
    talk.querySelector(".waiting")?.remove();
    if (told.error) { add("error", told.error); return; }
    for (const entry of told.entries) if (entry.text) add(entry.kind, entry.text);
    if (told.text) add("other", told.text);
    part("#state").textContent = told.state || "–";
    part("#slots").replaceChildren(...pairs(told.slots));
    for (const each of told.requests || []) {
      const item = make("li", undefined, { class: each.outcome === "failed" ? "failed" : "" });
      const values = [...Object.entries(each.values)].map(([name, value]) => `${name}=${value}`).join(", ");
      item.append(make("code", each.service ? `${each.service} ${each.request}` : each.action), ` → ${each.outcome}`, make("span", [values, each.error].filter(Boolean).map((text) => ` ${text}`).join(""), { class: "quiet" }));
      part("#asked ol").append(item);
      part("#asked").hidden = false;
    }
    part("#asked ol").scrollTop = part("#asked ol").scrollHeight;
    const records = Object.entries(told.records).map(([name, held]) => {
      const pair = make("div"), list = make("ol");
      list.dataset.record = name;
      list.append(...[held].flat().map((item) => make("li", item)));
      pair.append(make("strong", name), list);
      return pair;
    });
    part("#records").replaceChildren(...records);
    // the harness around a sub-flow is nothing that anybody drew
    const at = [told.state, ...told.states.toReversed()].find((state) => state && !state.startsWith("trial."));
    if (at) onState?.(...at.split("."));
  }

  function connected() {
    if (socket?.readyState === WebSocket.OPEN) return Promise.resolve();
    opening ??= new Promise((done) => {
      const scheme = location.protocol === "https:" ? "wss" : "ws";
      socket = new WebSocket(`${scheme}://${location.host}/flows/${encodeURIComponent(flow)}/simulator`);
      socket.onopen = done;
      socket.onmessage = (event) => show(JSON.parse(event.data));
      socket.onclose = () => {
        opening = null;
        able(false);
        add("error", "The simulator is closed: call to begin again.");
      };
    });
    return opening;
  }

  async function call() {
    talk.replaceChildren();
    part("#asked ol").replaceChildren();
    part("#asked").hidden = true;
    root.querySelectorAll("[data-part]").forEach((box) => { box.checked = false; });
    await connected();
    opening = null;
    able(true);
    add("waiting", "the first call of a version takes some seconds");
    send({ call: { caller: part("#caller").value, language: part("#language").value || "en-US", draft: draftId || "" } });
    words.focus();
  }

  part("#dial").addEventListener("submit", (event) => { event.preventDefault(); call(); });
  part("#say").addEventListener("submit", (event) => {
    event.preventDefault();
    if (words.value.trim()) send({ line: words.value.trim() });
    words.value = "";
  });
  part("#answers").addEventListener("submit", (event) => {
    event.preventDefault();
    const answer = part("#answer");
    if (answer.value.trim()) send({ line: `/http ${part("#service").value} ${answer.value.trim()}` });
  });
  root.querySelectorAll("[data-line]").forEach((button) => {
    button.addEventListener("click", () => send({ line: button.dataset.line }));
  });
  let fitted = fit();

  return {
    // the same caller calls once more, in the draft as it is now
    restart(other) {
      if (other !== undefined) draftId = other;
      fitted = fit();
      return call();
    },
    // what was asked of the draft is answered
    settled: () => fitted,
  };
}
