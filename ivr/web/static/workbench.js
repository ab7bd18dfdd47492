// The workbench: a draft's files, the editor, findings as they are typed, the picture and the simulator beside it, publishing.

import { mountPicture } from "./flow_picture.js";
import { mountSimulator } from "./simulator_panel.js";
import { Refused, draftOf, vocabulary } from "./workbench_draft.js";
import { mountEditor } from "./workbench_editor.js";
import { completions, described, taught } from "./workbench_schema.js";

const CHECKED_MS = 600, SAVED_MS = 2500; // after the last key
const part = (id) => document.getElementById(id);
const bench = document.querySelector(".bench");
const owner = bench.dataset.owner;
const say = (words) => { part("saved").textContent = words; };
let draft = await draftOf(owner);
let shown = null; // the file in the editor, as the draft had it: {name, text, digest, folder_digest, clashes}
let found = []; // findings of all files
let contested = false; // of the same lines somebody else saved something, and nobody has settled it
let dirty = false, saving = null, checking = 0, checkSoon = 0, saveSoon = 0;
const underway = new Set(); // what is asked of the draft, and nobody waits for
let leaving = false; // the draft is about to go: nothing more is asked of it

const editor = mountEditor(part("editor"), {
  complete: completions,
  hover: described,
  onChange() {
    dirty = true;
    say("Not saved yet");
    later();
  },
  onLine(line) {
    const state = stateAt(line);
    if (state && flowOf(editor.text()) === drawn) picture.select(state);
  },
});
const picture = mountPicture(part("picture"), {
  flow: "main",
  async onSelect(state, line, { file }) {
    if (file !== shown?.name) await open(file);
    if (stateAt.last !== state) editor.line(line);
  },
  onFlow(flow) { drawn = flow; },
});
const simulator = mountSimulator(part("simulator"), { flow: "main", draftId: draft.id, onState: (flow, state) => { if (!leaving) beside(picture.active(`${flow}.${state}`, draft.id)); } });
let drawn = "";

function later() {
  clearTimeout(checkSoon);
  clearTimeout(saveSoon);
  checkSoon = setTimeout(check, CHECKED_MS);
  saveSoon = setTimeout(save, SAVED_MS);
}

// -- files ----------------------------------------------------------------------------------------------------------------

const flowOf = (text) => text.match(/^flow:\s*([\w-]+)/m)?.[1] || "";

function stateAt(line) {
  const lines = editor.text().split("\n");
  let name = "";
  for (let at = line - 1; at >= 0; at--) {
    const state = lines[at].match(/^ {2}([\w-]+):/);
    if (state && !name) name = state[1];
    if (/^\S/.test(lines[at])) { name = /^states:/.test(lines[at]) ? name : ""; break; }
  }
  stateAt.last = name;
  return name;
}

async function listFiles() {
  const files = await draft.files();
  part("files").replaceChildren(...files.map((each) => {
    const item = make("li"), button = make("button", each.name, { type: "button", class: "plain" });
    if (each.name === shown?.name) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => open(each.name).then(() => editor.focus()));
    item.append(button);
    if (each.state !== "same") item.append(make("span", each.clashes.length ? "clash" : each.state, { class: "tag" }));
    return item;
  }));
  part("changed-count").textContent = String(files.filter((each) => each.state !== "same").length);
}

async function open(name) {
  if (!(await save())) return; // what is written here would be lost
  contested = false;
  shown = await draft.file(name);
  editor.open(shown.text ?? "");
  part("file-name").textContent = name;
  showClashes(shown.clashes);
  showFindings();
  say("");
  await listFiles();
  draw(); // and nobody waits for it
}

async function draw() {
  const flow = flowOf(editor.text());
  if (!flow) return;
  try {
    await beside(picture.open(drawn = flow, "", draft.id));
  } catch {
    // it can't be drawn as it stands: the findings say why, and the last picture stays
  }
}

// -- saving: what others did meanwhile is put together with it; where both changed the same lines, somebody chooses ------

// Whether nothing is left to be saved.
async function save() {
  clearTimeout(saveSoon);
  if (saving) await saving;
  if (!dirty || !shown) return true;
  if (contested && !part("settled").checked) { say("Not saved: choose between both, then tick the box"); return false; }
  saving = saveNow();
  try { return await saving; } finally { saving = null; }
}

async function saveNow() {
  const text = editor.text(), before = shown;
  dirty = false;
  editor.sent();
  try {
    const there = await draft.save(before.name, text, before, settled());
    editor.merged(text, there.text ?? "");
    shown = there;
    contested = false;
    say(there.text === text ? "Saved in your draft" : "Saved, with what somebody else changed meanwhile");
    showClashes(there.clashes);
    await listFiles();
    if (!dirty) { draw(); simulator.restart(draft.id); }
    return true;
  } catch (error) {
    dirty = true;
    if (error instanceof Refused && error.there?.clashes) {
      shown = error.there;
      contested = true;
      editor.merged(text, error.there.together ?? text);
      showClashes(error.there.clashes);
    }
    say(error.message);
    return false;
  }
}

const settled = () => (part("clashes").hidden || part("settled").checked ? shown.folder_digest || "none" : "none");

const linesOf = (text) => text.match(/[^\n]*\n|[^\n]+$/g) || [];

function showClashes(clashes) {
  part("clashes").hidden = !clashes.length;
  part("settled").checked = false;
  part("clash-list").replaceChildren(...clashes.map((clash) => {
    const item = make("li"), take = make("button", "Take theirs", { type: "button" }), at = editor.keep(clash.at);
    item.append(make("p", "You wrote"), make("pre", clash.mine || "(nothing)"), make("p", "Somebody else wrote"), make("pre", clash.theirs || "(nothing)"), take);
    take.addEventListener("click", () => {
      const lines = linesOf(editor.text()), from = at() - 1, many = linesOf(clash.mine).length;
      if (lines.slice(from, from + many).join("") !== clash.mine) { say("Those lines are no longer as they were: put theirs in by hand"); return; }
      lines.splice(from, many, clash.theirs);
      editor.put(lines.join(""));
      dirty = true;
      take.disabled = true;
      later();
    });
    return item;
  }));
}

// -- findings -----------------------------------------------------------------------------------------------------------

async function check() {
  clearTimeout(checkSoon);
  const mine = ++checking;
  try {
    const told = await beside(draft.check(shown && dirty ? { [shown.name]: editor.text() } : {}));
    if (mine !== checking) return;
    found = told;
    showFindings();
  } catch (error) {
    if (mine === checking) say(error.message);
  }
}

function showFindings() {
  const order = { error: 0, warning: 1, note: 2 };
  const sorted = [...found].sort((a, b) => order[a.severity] - order[b.severity] || (a.file !== shown?.name) - (b.file !== shown?.name) || a.line - b.line);
  const errors = found.filter((each) => each.severity === "error").length;
  part("count").textContent = found.length ? `${errors} ${errors === 1 ? "error" : "errors"}, ${found.length - errors} more` : "nothing wrong";
  part("findings").replaceChildren(...sorted.map((each) => {
    const item = make("li", undefined, { "data-severity": each.severity }), go = make("button", `${each.file}:${each.line}`, { type: "button", class: "plain" });
    go.addEventListener("click", async () => {
      if (each.file !== shown?.name) await open(each.file);
      editor.line(each.line);
      editor.focus();
    });
    item.append(make("strong", each.severity), go, make("span", each.why), make("span", each.remedy, { class: "remedy" }));
    return item;
  }));
  editor.findings(found.filter((each) => each.file === shown?.name));
  picture.setErrors(found.map((each) => ({ ...each, message: each.why })));
}

// -- to callers -------------------------------------------------------------------------------------------------------------

let looked = ""; // the digest of the set of files whose changes are shown

const publishable = (on) => part("publish").querySelectorAll("button").forEach((each) => { each.disabled = !on; });

async function showChanges() {
  publishable(false);
  looked = "";
  if (!(await save())) { part("diff").textContent = part("saved").textContent; return; }
  try {
    const told = await draft.diff();
    looked = told.digest;
    part("diff").textContent = told.text;
  } catch (error) {
    looked = "";
    part("diff").textContent = error.message;
  }
  publishable(looked);
}

function beside(asked) {
  underway.add(asked);
  asked.catch(() => {}).finally(() => underway.delete(asked));
  return asked;
}

// The draft goes: what is asked of it is answered before, or there would be nobody to answer.
async function gone(how) {
  leaving = true;
  try {
    await Promise.allSettled([...underway, simulator.settled()]);
    return await how();
  } finally {
    leaving = false;
  }
}

async function bring(how) {
  const why = part("why").value.trim();
  if (!why) { part("outcome").textContent = "Say why: the history keeps it."; part("why").focus(); return; }
  part("outcome").textContent = "Checking, and making its prompts ready…";
  try {
    const told = await how(why);
    part("why").value = "";
    part("outcome").textContent = told;
  } catch (error) {
    part("outcome").textContent = error.message;
    if (error.status === 409) await showChanges(); // others published meanwhile
  }
}

part("publish").addEventListener("submit", (event) => {
  event.preventDefault();
  bring(async (why) => {
    const { version, unwritten } = await gone(async () => {
      const told = await draft.publish(why, looked);
      if (!told.unwritten) await renew();
      return told;
    });
    return unwritten ? `Live as ${version}, but not in the folder: ${unwritten}` : `Live as ${version}.`;
  });
});
part("try-out").addEventListener("click", () => bring(async (why) => {
  const percent = Number(part("percent").value);
  return `On trial as ${(await draft.tryOut(why, looked, percent)).version}, for ${percent} % of callers.`;
}));
part("drop").addEventListener("click", async () => {
  if (!confirm("Drop your draft, and everything in it that is not published?")) return;
  part("outcome").textContent = "Dropping it, once what was asked of it is answered…";
  try {
    await gone(async () => {
      await draft.drop();
      dirty = false;
      await renew();
    });
    part("outcome").textContent = "Your draft is dropped.";
  } catch (error) {
    part("outcome").textContent = error.message;
  }
});

async function renew() {
  draft = await draftOf(owner);
  dirty = false;
  shown = null;
  looked = "";
  part("diff").textContent = "";
  publishable(false);
  await open(part("file-name").textContent).catch(() => open("main.yaml"));
  simulator.restart(draft.id);
  await check();
}

part("new-file").addEventListener("submit", async (event) => {
  event.preventDefault();
  const box = part("new-name"), name = box.value.trim();
  try {
    await draft.make(name, `flow: ${name.replace(/\.yaml$/, "")}\nabout: \nstart: \nstates:\n`);
    box.value = "";
    await open(name);
    editor.focus();
  } catch (error) {
    say(error.message);
  }
});

// -- panels and keys ----------------------------------------------------------------------------------------------------

const tabs = [...document.querySelectorAll("[data-panel]")];
for (const tab of tabs) tab.addEventListener("click", () => {
  for (const each of tabs) {
    each.setAttribute("aria-pressed", String(each === tab));
    part(each.dataset.panel).hidden = each !== tab;
  }
  part("outcome").textContent = "";
  if (tab.dataset.panel === "changes") showChanges();
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); save().then(check); }
});
addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });

taught(await vocabulary());
await open(bench.dataset.file);
bench.dataset.ready = "yes";
check();
