// The page of words: each text edited where it stands, heard as callers hear it, all saved together, taken back.
"use strict";

const list = document.getElementById("words");
const panel = document.getElementById("changed");
const told = document.getElementById("told");
const reasons = document.getElementById("reasons");
const player = document.getElementById("player");
const saving = document.getElementById("save");
const dropping = document.getElementById("drop");
const takingBack = document.getElementById("take-back");
const before = new Map(); // row -> the text that it had
const right = new Set(); // rows whose translation stands as it is
let sheet = null; // what an imported sheet changes

const rows = () => [...(list?.children || [])];
const box = (row) => row.querySelector("textarea");
const edited = (row) => box(row).value.trim() !== before.get(row) || right.has(row);

function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function show(words, why = []) {
  const count = sheet ? sheet.length : rows().filter(edited).length;
  if (words !== undefined) told.textContent = words;
  else told.textContent = count ? `${counted(count, "text")} changed, not saved yet.` : "";
  reasons.replaceChildren(...why.map((reason) => make("li", reason)));
  saving.hidden = dropping.hidden = !count;
  panel.hidden = !count && takingBack.hidden && !words && !why.length;
  for (const row of rows()) {
    row.classList.toggle("edited", edited(row));
    row.querySelector("[data-undo]").hidden = !edited(row);
  }
}

function undo(row) {
  box(row).value = before.get(row);
  right.delete(row);
  show();
}

async function send(path, body) {
  const headers = { "X-CSRF-Token": document.body.dataset.csrf, Accept: "application/json" };
  if (typeof body === "string") headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers, body });
  } catch {
    throw new Error("The line does not answer. Nothing was saved.");
  }
  const found = await answer.json().catch(() => ({ error: `Not possible now (${answer.status}).` }));
  if (!answer.ok) throw new Error(found.error);
  return found;
}

function wanted() {
  if (sheet) return sheet;
  return rows().filter(edited).map((row) => ({
    key: row.dataset.key, text: box(row).value.trim(), was: row.dataset.was, of: row.dataset.of, right: right.has(row),
  }));
}

async function save() {
  const changes = wanted();
  if (!changes.length || saving.disabled) return;
  saving.disabled = true;
  show("Checking and saving…");
  try {
    const saved = await send("/words", JSON.stringify({ changes }));
    sessionStorage.setItem("words-saved", `Saved: ${counted(saved.told.length, "text")}.`);
    leaving = true;
    location.reload();
  } catch (error) {
    show(undefined, error.message.split("\n"));
  } finally {
    saving.disabled = false;
  }
}

async function takeBack() {
  try {
    const files = (await send("/words/undo", "{}")).files;
    sessionStorage.setItem("words-taken-back", `Taken back: ${files.join(", ")} as before.`);
    leaving = true;
    location.reload();
  } catch (error) {
    show(undefined, [error.message]);
  }
}

async function listen(row) {
  const button = row.querySelector("[data-listen]");
  const text = box(row).value.trim() === before.get(row) ? "" : box(row).value.trim();
  const asked = new URLSearchParams(text ? { key: row.dataset.key, text } : { key: row.dataset.key });
  button.textContent = "…";
  player.src = `/words/sound?${asked}`;
  try {
    await player.play();
    row.querySelector("[data-seconds]").textContent = `${player.duration.toFixed(1)} s`;
  } catch {
    show(undefined, ["This can't be heard just now: nothing here speaks it, or the voices are busy."]);
  } finally {
    button.textContent = "Listen";
  }
}

async function importSheet(file) {
  show("Reading the sheet…");
  try {
    const found = await send("/words/sheet", await file.arrayBuffer());
    sheet = found.changes.length ? found.changes : null;
    show(sheet ? `${file.name} changes ${counted(sheet.length, "text")}:\n${found.told.join("\n")}` : `${file.name} changes nothing.`);
  } catch (error) {
    sheet = null;
    show(`${file.name} was not taken:`, error.message.split("\n"));
  }
  panel.scrollIntoView({ block: "nearest" });
}

let leaving = false;
addEventListener("beforeunload", (event) => {
  if (!leaving && rows().some(edited)) event.preventDefault();
});

if (panel) {
  for (const row of rows()) {
    before.set(row, box(row).value.trim());
    box(row).addEventListener("input", () => show());
    row.querySelector("[data-undo]").addEventListener("click", () => { undo(row); box(row).focus(); });
    row.querySelector("[data-listen]").addEventListener("click", () => listen(row));
    row.querySelector("[data-right]")?.addEventListener("click", () => { right.add(row); show(); });
  }
  saving.addEventListener("click", save);
  dropping.addEventListener("click", () => { sheet = null; rows().forEach(undo); show(); });
  takingBack.addEventListener("click", takeBack);
  document.getElementById("sheet")?.addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) importSheet(file);
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); save(); }
    if (event.key === "Escape" && event.target.matches?.("#words textarea")) undo(event.target.closest("li"));
  });
  const saved = sessionStorage.getItem("words-saved"), back = sessionStorage.getItem("words-taken-back");
  sessionStorage.removeItem("words-saved");
  sessionStorage.removeItem("words-taken-back");
  takingBack.hidden = !saved;
  show(saved || back || undefined);
}
