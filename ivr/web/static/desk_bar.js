// The phone at the bottom of the desk: its quality in a word, devices, and what can be done with the conversation.

import { html } from "/static/htm_preact.js";

const WORDS = { off: "Phone off", connecting: "Phone connecting…", ready: "Phone ready", lost: "Phone lost", blocked: "No microphone" };
const QUALITY = { good: "Sound: good", fair: "Sound: fair", bad: "Sound: bad" };

export function Bar({ server, phone, said, open, act }) {
  const { me, talk } = server;
  const joined = Boolean(talk?.joined);
  const bridge = talk?.bridge ?? {};
  const browser = me.phone === "browser";
  const state = phone?.state ?? "off";
  return html`<section class="bar" aria-label="Phone">
    <div class="controls">
      <span class=${`phone-state ${state}`}><span class="shape" aria-hidden="true"></span>${browser ? WORDS[state] : "Your telephone rings"}</span>
      ${browser && joined && state === "ready" && phone.quality && html`<span class="quality">${QUALITY[phone.quality]}</span>`}
      ${joined && html`<span class="buttons" role="group" aria-label="Conversation">
        <button aria-pressed=${Boolean(bridge.muted)} onClick=${() => act.mute(!bridge.muted)}>Mute <kbd>m</kbd></button>
        <button aria-pressed=${Boolean(bridge.held)} onClick=${() => act.hold(!bridge.held)}>Hold <kbd>h</kbd></button>
        <button aria-expanded=${open === "keypad"} onClick=${() => act.open("keypad")}>Keypad <kbd>k</kbd></button>
        <button aria-expanded=${open === "transfer"} onClick=${() => act.open("transfer")}>Transfer <kbd>t</kbd></button>
        <button aria-expanded=${open === "call-back"} onClick=${() => act.open("call-back")}>Call back <kbd>b</kbd></button>
        <button onClick=${() => act.ask("machine", {}, "They are with the line again.")}>Back to the line</button>
        <button class="end" onClick=${() => act.ask("hang_up", {}, "The conversation is over.")}>Hang up</button></span>`}
      <p class="heard" role="status">${said && html`<span class=${said.bad ? "error" : ""}>${said.text}</span>`}</p>
      <span class="devices">
        ${joined && !browser && html`<label>When I hang up <select onChange=${(event) => act.ask("on_hang_up", { how: event.target.value })}>
          <option value="ends">the call ends</option><option value="returns">they go back to the line</option></select></label>`}
        ${browser && phone?.microphones.length > 0 && html`<label>Microphone <select value=${phone.microphone} onChange=${(event) => act.microphone(event.target.value)}>
          ${phone.microphones.map((each) => html`<option key=${each.id} value=${each.id}>${each.name}</option>`)}</select></label>`}
        ${browser && phone?.canChooseRing && phone.speakers.length > 0 && html`<label>Ring on <select value=${phone.ring || "default"} onChange=${(event) => act.ringOn(event.target.value)}>
          ${phone.speakers.map((each) => html`<option key=${each.id} value=${each.id}>${each.name}</option>`)}</select></label>`}
        <button class="plain" aria-expanded=${open === "keys"} onClick=${() => act.open("keys")}>Keys <kbd>?</kbd></button>
      </span>
    </div>
  </section>`;
}
