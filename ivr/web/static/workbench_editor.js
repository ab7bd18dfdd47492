// The editor of one flow file: YAML in colours, findings at their lines, completion, and what others saved put in its place.
// mountEditor(element, {onChange(), onLine(line), complete(context), hover(line, column)}) ->
//   {open(text), text(), put(text), sent(), merged(sent, text), keep(number) -> () -> number, findings(list), line(number), focus()}
// `put` changes only the lines that differ, so the cursor stays. `sent` marks what is being saved: `merged` then puts in what
// came back, beneath what was typed since. It lives in a shadow root, where its style sheets need no leave of the policy.

import {
  Annotation, EditorState, EditorView, HighlightStyle, autocompletion, basicSetup, hoverTooltip, indentUnit, keymap, lintGutter,
  nextDiagnostic, setDiagnostics, syntaxHighlighting, tags, yaml,
} from "./codemirror.js";
import { lineChanges } from "./workbench_lines.js";

const LOOKS = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--canvas)", color: "var(--ink)", fontSize: "14px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-gutters": { backgroundColor: "var(--paper)", color: "var(--soft)", borderRight: "1px solid var(--edge)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 8%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)",
  },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--edge)" },
  "& .cm-panel .cm-button": { backgroundColor: "var(--pill)", backgroundImage: "none", color: "var(--ink)", border: "1px solid var(--edge)" },
  "& .cm-panel .cm-textfield": { backgroundColor: "var(--canvas)", color: "var(--ink)", border: "1px solid var(--edge)" },
  ".cm-panel button[name=close]": { color: "var(--ink)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--ink)" },
  ".cm-tooltip-hover p": { margin: "0", padding: ".4rem .6rem", maxWidth: "28rem", font: "14px/1.45 system-ui, sans-serif" },
  ".cm-completionDetail": { color: "var(--soft)" },
  ".cm-diagnostic": { font: "14px/1.45 system-ui, sans-serif", maxWidth: "32rem" },
  ".cm-searchMatch": { backgroundColor: "color-mix(in srgb, var(--accent) 22%, transparent)" },
});
const COLOURS = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: tags.comment, color: "var(--soft)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.bool, tags.null, tags.number], color: "var(--bad)" },
]);
const LABEL = { "aria-label": "Flow file. Escape, then Tab, leaves it.", spellcheck: "false", autocapitalize: "off" };
const theirs = Annotation.define();

export function mountEditor(root, { onChange, onLine, complete, hover }) {
  const shadow = root.attachShadow({ mode: "open" });
  const inner = document.createElement("div");
  shadow.append(inner);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(":host { display: block; } div:first-child { height: 100%; }");
  let line = 0, since = null;
  const kept = new Set(); // positions that move with the text

  const told = (view, at) => {
    const found = hover(view.state, at);
    if (!found) return null;
    return { pos: found.from, end: found.to, create: () => {
      const dom = document.createElement("p");
      dom.textContent = found.text;
      return { dom };
    } };
  };
  const extensions = [
    basicSetup, yaml(), indentUnit.of("  "), lintGutter(), LOOKS, syntaxHighlighting(COLOURS),
    keymap.of([{ key: "F8", run: nextDiagnostic }]),
    autocompletion({ override: [complete] }), hoverTooltip(told), EditorView.contentAttributes.of(LABEL),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) for (const each of kept) each.pos = update.changes.mapPos(each.pos, -1);
      if (update.docChanged && since) since = since.compose(update.changes);
      if (update.docChanged && !update.transactions.some((each) => each.annotation(theirs))) onChange();
      const now = update.state.doc.lineAt(update.state.selection.main.head).number;
      if (now !== line && (update.selectionSet || update.docChanged)) onLine(line = now);
    }),
  ];
  const fresh = (text) => EditorState.create({ doc: text, extensions });
  const view = new EditorView({ state: fresh(""), parent: inner, root: shadow });
  shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
  view.scrollDOM.tabIndex = 0; // what scrolls can be reached by key

  const spot = (finding) => {
    const at = view.state.doc.line(Math.min(Math.max(1, finding.line || 1), view.state.doc.lines));
    const from = Math.min(at.from + Math.max(0, (finding.column || 1) - 1), at.to);
    const to = finding.text && at.text.startsWith(finding.text, from - at.from) ? from + finding.text.length : at.to;
    const severity = { error: "error", warning: "warning" }[finding.severity] || "info";
    return { from, to: Math.max(from, to), severity, message: `${finding.why}\n→ ${finding.remedy}` };
  };
  return {
    open(text) { since = null; line = 0; kept.clear(); view.setState(fresh(text)); },
    // where a line is now, whatever is written above it
    keep(number) {
      const { doc } = view.state, each = { pos: number > doc.lines ? doc.length : doc.line(Math.max(1, number)).from };
      kept.add(each);
      return () => view.state.doc.lineAt(each.pos).number;
    },
    text: () => view.state.doc.toString(),
    put(text) {
      view.dispatch({ changes: lineChanges(view.state.doc.toString(), text), annotations: theirs.of(true) });
    },
    sent() { since = view.state.changes(); },
    merged(sent, text) {
      const made = EditorState.create({ doc: sent }).changes(lineChanges(sent, text));
      if (!made.empty) view.dispatch({ changes: since ? made.map(since) : made, annotations: theirs.of(true) });
      since = null;
    },
    findings(list) { view.dispatch(setDiagnostics(view.state, list.map(spot))); },
    line(number) {
      const at = view.state.doc.line(Math.min(Math.max(1, number), view.state.doc.lines));
      view.dispatch({ selection: { anchor: at.from + at.text.search(/\S|$/) }, effects: EditorView.scrollIntoView(at.from, { y: "center" }) });
    },
    focus: () => view.focus(),
  };
}
