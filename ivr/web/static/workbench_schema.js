// Completion and explanations in the editor: keys and values by the flow files' JSON Schema, names by what the file itself has.
// taught(schema) once; completions(context) and described(state, position) are what CodeMirror asks.

let schema = null;
export function taught(found) { schema = found; }

const KINDS = { flow: "Flow", fragment: "Fragment", wording: "Wording", company: "CompanyFile", universals: "Universals" };
const KEY = /^(\s*)((?:- )*)([\w.-]+|"[^"]*"):/;
const TARGETS = ["human", "goodbye", "back", "repeat", "again"];
const LEADS = new Set(["goto", "start", "no", "unanswered"]); // and whatever stands under on:

// -- where in the file ----------------------------------------------------------------------------------------------------

// Keys from the top down to where `column` of line `number` is; "[]" for an item of a list.
function pathAt(doc, number, column) {
  const text = doc.line(number).text, before = text.slice(0, column), path = [];
  const dashes = /^\s*((?:- )*)/.exec(text)[1];
  let limit = text.trim() ? /^\s*/.exec(text)[0].length : column;
  if (dashes) { path.unshift("[]"); limit += 0.5; }
  for (let at = number - 1; at >= 1 && limit > 0; at--) {
    const line = doc.line(at).text, key = KEY.exec(line);
    if (!line.trim() || line.trim().startsWith("#")) continue;
    if (key && key[1].length + key[2].length < limit) {
      path.unshift(key[3]);
      limit = key[1].length;
      if (key[2]) { path.unshift("[]"); limit += 0.5; }
    }
  }
  return [...path, ...inBraces(before)];
}

// Keys before each brace that is open: one after a dash has none, its list is known already.
function inBraces(before) {
  const open = [];
  for (let at = 0; at < before.length; at++) {
    if (before[at] === "{") open.push(/([\w.-]+):\s*$/.exec(before.slice(0, at))?.[1] || "");
    if (before[at] === "}") open.pop();
  }
  return open.filter((key) => key);
}

// -- what the schema says of it -------------------------------------------------------------------------------------------

function plain(node, deep = 8) {
  if (!node || typeof node !== "object" || !deep) return [];
  if (node.$ref) return plain(node.$ref.slice(2).split("/").reduce((at, name) => at?.[name], schema), deep - 1);
  const inner = [...(node.anyOf || []), ...(node.oneOf || []), ...(node.allOf || [])].flatMap((each) => plain(each, deep - 1));
  return [node, ...inner];
}

function step(nodes, name) {
  return nodes.flatMap((node) => {
    const next = name === "[]" ? node.items : node.properties?.[name] ?? node.additionalProperties;
    return plain(next);
  });
}

function nodesAt(doc, path) {
  const kind = Object.keys(KINDS).find((each) => new RegExp(`^${each}:`, "m").test(doc.toString()));
  return path.reduce(step, plain(schema.$defs[KINDS[kind] || "Flow"]));
}

// -- names of the file itself -----------------------------------------------------------------------------------------------

function namesOf(doc, section) {
  const body = new RegExp(`^${section}:\\s*\\n((?:[ \\t#].*\\n|\\n)*)`, "m").exec(`${doc}\n`)?.[1] || "";
  return [...body.matchAll(/^ {2}([\w.-]+):/gm)].map((found) => found[1]);
}

function values(doc, path, key) {
  const found = step(nodesAt(doc, path), key).flatMap((node) => [...(node.enum || []), ...(node.type === "boolean" ? [true, false] : [])]);
  if (LEADS.has(key) || path.at(-1) === "on") found.push(...namesOf(doc, "states"), ...TARGETS);
  if (key === "ask") found.push(...namesOf(doc, "variables"));
  if (key === "intent") found.push(...namesOf(doc, "intents"));
  return [...new Set(found.map(String))];
}

// -- what the editor asks ---------------------------------------------------------------------------------------------------

export function completions(context) {
  if (!schema) return null;
  const doc = context.state.doc, line = doc.lineAt(context.pos), before = line.text.slice(0, context.pos - line.from);
  const word = /[\w.-]*$/.exec(before)[0], from = context.pos - word.length;
  if (!word && !context.explicit || before.trimStart().startsWith("#")) return null;
  const path = pathAt(doc, line.number, before.length), value = /([\w.-]+):\s+[\w.-]*$/.exec(before);
  if (value) return { from, options: values(doc, path, value[1]).map((label) => ({ label, type: "enum" })), validFor: /^[\w.-]*$/ };
  const keys = new Map();
  for (const node of nodesAt(doc, path)) {
    for (const [label, about] of Object.entries(node.properties || {})) keys.set(label, about.description || "");
  }
  const options = [...keys].map(([label, info]) => ({ label, info, apply: `${label}: `, type: "property" }));
  return options.length ? { from, options, validFor: /^[\w.-]*$/ } : null;
}

export function described(state, at) {
  if (!schema) return null;
  const line = state.doc.lineAt(at), text = line.text, column = at - line.from;
  const key = [...text.matchAll(/([\w.-]+):(?=\s|$)/g)].find((each) => each.index <= column && column <= each.index + each[1].length);
  if (!key) return null;
  const path = pathAt(state.doc, line.number, key.index);
  const told = nodesAt(state.doc, path).map((node) => node.properties?.[key[1]]).find((each) => each);
  const about = told && plain(told).map((each) => each.description).find((each) => each);
  return about ? { from: line.from + key.index, to: line.from + key.index + key[1].length, text: about } : null;
}
