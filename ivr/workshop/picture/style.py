"""How pictures of flows look: colours for light and dark, and the small drawings on the cards."""

from __future__ import annotations

ICONS = {
    "question": "question",
    "action": "action",
    "http": "action",
    "branch": "branch",
    "call": "call",
    "return": "return",
    "handoff": "human",
    "end": "end",
    "resume": "resume",
    "say": "say",
}

STYLE = """
.flow-graph{--paper:#fff;--card:#fff;--edge:#c9ced6;--ink:#1c2430;--soft:#5b6675;--line:#8b96a5;--bad:#c62828;
--warn:#b26a00;--human:#b5179e;--pill:#eef1f5;--busy:#1769aa;--now:#ffd54a;
font:11px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
@media (prefers-color-scheme:dark){.flow-graph{--paper:#14181e;--card:#1e242c;--edge:#3b4552;--ink:#e8ecf1;
--soft:#a3aebb;
--line:#74808f;--bad:#ff6b6b;--warn:#ffb74d;--human:#ff7ee2;--pill:#2b333e;--busy:#64b5f6;--now:#554510}}
.flow-graph .paper{fill:var(--paper)}
.flow-graph text{fill:var(--ink)}
.flow-graph .caption{font-size:16px;font-weight:700}
.flow-graph .version{font-size:11px;font-weight:400;fill:var(--soft);font-family:ui-monospace,monospace}
.flow-graph .about{fill:var(--soft)}
.flow-graph .frame{fill:var(--card);stroke:var(--edge)}
.flow-graph .card{--kind:#8b96a5}
.flow-graph .question{--kind:#1976d2}
.flow-graph .action,.flow-graph .http{--kind:#2e7d32}
.flow-graph .branch{--kind:#f9a825}
.flow-graph .call{--kind:#7e57c2}
.flow-graph .handoff{--kind:var(--human)}
.flow-graph .end{--kind:#455a64}
.flow-graph .resume{--kind:#00838f}
.flow-graph .stripe{fill:var(--kind)}
.flow-graph .name{font-size:12px;font-weight:650}
.flow-graph .detail{fill:var(--soft);font-size:10.5px}
.flow-graph .said{fill:var(--soft);font-style:italic}
.flow-graph .start>.frame{stroke:var(--ink);stroke-width:2}
.flow-graph .member .frame{fill:var(--pill);stroke:none}
.flow-graph .member .name{font-weight:400;font-size:11px}
.flow-graph .rule{stroke:var(--edge);fill:none}
.flow-graph text.end{text-anchor:end}
.flow-graph .count{fill:var(--busy);font-size:10px;font-weight:600}
.flow-graph .key{fill:none;stroke:var(--soft)}
.flow-graph .keyed{font-size:10px;text-anchor:middle}
.flow-graph .failure .label{fill:var(--soft)}
.flow-graph .pill{fill:var(--pill);stroke:var(--edge);stroke-width:.7}
.flow-graph .pill.human{stroke:var(--human);stroke-width:1}
.flow-graph .tip{fill:none;stroke:var(--soft);stroke-width:1.4}
.flow-graph .tip.human{stroke:var(--human)}
.flow-graph .target{font-size:10.5px}
.flow-graph a:hover .pill,.flow-graph a:focus .pill{stroke:var(--busy);stroke-width:1.6}
.flow-graph .line path{fill:none;stroke:var(--line)}
.flow-graph .line.failure path{stroke-dasharray:4 3}
.flow-graph .line.busy path{stroke:var(--busy);stroke-opacity:.75}
.flow-graph .line:hover path{stroke:var(--busy);stroke-width:2.5px}
.flow-graph .arrow{fill:var(--line)}
.flow-glyph{fill:none;stroke:var(--soft);stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}
.flow-person{fill:var(--human)}
.flow-graph .error>.frame{stroke:var(--bad);stroke-width:2.5}
.flow-graph .error>.stripe{fill:var(--bad)}
.flow-graph .error>.name,.flow-graph .fault-text{fill:var(--bad)}
.flow-graph .warning>.frame{stroke:var(--warn);stroke-width:2}
.flow-graph .current>.frame{fill:var(--now);stroke:var(--busy);stroke-width:2}
.flow-graph .state:target>.frame{stroke:var(--busy);stroke-width:3}
"""

_GLYPHS = {
    "question": "M4 9a4 4 0 1 1 4 4l-4 1 .8-2.4A4 4 0 0 1 4 9Z",
    "say": "M3 9v-3h2l3-2.5v8L5 9ZM10.5 5a4 4 0 0 1 0 5",
    "action": "M9 2L4 9h4l-1 5 5-7H8Z",
    "branch": "M2 7.5h4l5-4M6 7.5l5 4M8.5 3.5h3v2.5M8.5 11.5h3v-2.5",
    "call": "M3 4h9v3H3ZM3 10h9v3H3ZM7.5 7v3",
    "return": "M12 3v4a2 2 0 0 1-2 2H4M6.5 6.5L4 9l2.5 2.5",
    "end": "M4 4h7v7H4Z",
    "resume": "M3 8a5 5 0 1 0 1.5-3.5L3 6M3 3v3h3",
}


def _symbol(name: str, inside: str) -> str:
    return f'<symbol id="icon-{name}-FLOW" viewBox="0 0 15 15">{inside}</symbol>'


SYMBOLS = "".join(
    (
        "<defs>",
        '<marker id="arrow-FLOW" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto"'
        ' markerUnits="userSpaceOnUse"><path class="arrow" d="M0 .5L8 4L0 7.5Z"/></marker>',
        *(_symbol(name, f'<path class="flow-glyph" d="{path}"/>') for name, path in _GLYPHS.items()),
        _symbol(
            "human",
            '<circle class="flow-person" cx="7.5" cy="4.5" r="3.2"/>'
            '<path class="flow-person" d="M1 14a6.5 6 0 0 1 13 0Z"/>',
        ),
        "</defs>",
    )
)
