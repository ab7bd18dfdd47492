// A designer's draft over HTTP: its files, saved without overwriting anybody, its findings, what callers would notice of it.

export class Refused extends Error {
  constructor(status, told) {
    super(told.error || `The line says ${status}.`);
    this.status = status;
    this.there = told.there || null;
  }
}

async function asked(method, path, body) {
  const headers = { Accept: "application/json", "X-CSRF-Token": document.body.dataset.csrf };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused(0, { error: "The line does not answer. What you wrote is still here: save it once it does." });
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, told);
  return told;
}

// The newest of `owner`, or a new one.
export async function draftOf(owner) {
  const { drafts } = await asked("GET", "/api/drafts");
  const mine = drafts.filter((each) => each.owner === owner).sort((a, b) => (a.changed_at < b.changed_at ? 1 : -1));
  return new Draft(mine.length ? mine[0].id : (await asked("POST", "/api/drafts", {})).id);
}

export const vocabulary = () => asked("GET", "/api/flow-schema");

class Draft {
  constructor(id) {
    this.id = id;
    this.path = `/api/drafts/${encodeURIComponent(id)}`;
  }

  files = () => asked("GET", this.path).then((told) => told.files);
  file = (name) => asked("GET", `${this.path}/files/${encodeURIComponent(name)}`);
  save = (name, text, there, settles) =>
    asked("PUT", `${this.path}/files/${encodeURIComponent(name)}`, { text, digest: there.digest, was: there.text, settles });
  make = (name, text) => asked("PUT", `${this.path}/files/${encodeURIComponent(name)}`, { text, digest: "", was: null });
  check = (files) => asked("POST", `${this.path}/check`, { files }).then((told) => told.findings);
  diff = () => asked("GET", `${this.path}/diff`);
  publish = (why, digest) => asked("POST", `${this.path}/publish`, { why, digest });
  tryOut = (why, digest, percent) => asked("POST", `${this.path}/canary`, { why, digest, percent, numbers: [] });
  drop = () => asked("DELETE", this.path);
}
