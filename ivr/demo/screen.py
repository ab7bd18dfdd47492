"""What the demo shows: the calls as they happen, then tables of what came of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ivr.cli.tail import follow
from ivr.plain_text import printable

STYLES = {"caller": "bold cyan", "line": "green", "agent": "bold magenta", "engine": "dim", "call": "dim"}


# The picture must not fetch anything when it is looked at: any monospaced font will do.
_FONTS = re.compile(r"@font-face \{.*?\}|<!--.*?-->", re.DOTALL)


class Screen:
    """Prints for people; plain where output is no terminal."""

    def __init__(self, *, recording: bool = False) -> None:
        self._console = Console(highlight=False, soft_wrap=True, record=recording, width=108 if recording else None)
        self._calls_over: asyncio.Queue[str] = asyncio.Queue()

    def call_ended(self, call_id: str) -> None:
        self._calls_over.put_nowait(call_id)

    async def call_over(self, timeout_s: float = 20.0) -> None:
        """Returns when the log has told of the end of one more call."""
        async with asyncio.timeout(timeout_s):
            await self._calls_over.get()

    def save_picture(self, path: Path, title: str) -> None:
        """What was shown since the last picture, as SVG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        svg = self._console.export_svg(title=title)
        path.write_text(_FONTS.sub("", svg), encoding="utf-8")

    def heading(self, text: str) -> None:
        self._console.print()
        self._console.rule(f"[bold]{text}", align="left")

    def line(self, who: str, text: str) -> None:
        shown = Text(f"{who:>7}  ", style=STYLES.get(who, ""))
        shown.append(printable(text), style="dim" if who in {"engine", "call"} else "")
        self._console.print(shown)

    def verdict(self, good: bool, text: str) -> None:
        self._console.print(Text(f"   {'✓' if good else '✗'} {text}", style="green" if good else "bold red"))

    def queues(self, before: Sequence[str], after: Sequence[str]) -> None:
        rows = [
            (str(place), old, Text(new, style="bold green" if old != new else ""))
            for place, (old, new) in enumerate(zip(before, after, strict=True), 1)
        ]
        self.table("The queue in the database", ("", "before", "after"), rows)

    def mapping(self, title: str, values: Mapping[str, Any]) -> None:
        self.table(title, (), [(key, _readable(value)) for key, value in values.items()])

    def table(self, title: str, heads: Sequence[str], rows: Iterable[Sequence[RenderableType]]) -> None:
        table = Table(*heads, title=title, title_justify="left", show_header=bool(heads))
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def plain(self, text: str) -> None:
        self._console.print(text)


def _readable(value: Any) -> str:
    """A transcript as a conversation, anything else as JSON."""
    if isinstance(value, list) and value and all(isinstance(e, dict) and "text" in e for e in value):
        who = {"prompt": "line", "heard": "caller", "key": "key"}
        return "\n".join(f"{who.get(str(e.get('kind')), e.get('kind'))}: {e['text']}" for e in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


async def show_log(screen: Screen, path: Path) -> None:
    """The service's side of the conversation, as its log tells it. Runs until cancelled."""
    with path.open(encoding="utf-8") as stream:
        stream.seek(0, 2)
        async for text in follow(path, stream):
            try:
                entry = json.loads(text)
            except ValueError:
                continue
            show_entry(screen, entry)


def show_entry(screen: Screen, entry: Mapping[str, Any]) -> None:
    match entry.get("event"):
        case "dialogue.prompt":
            screen.line("line", str(entry.get("text", "")))
        case "dialogue.heard":
            said = entry.get("transcript") or entry.get("text") or ""
            meaning = ", ".join(
                f"{k} {entry[k]}" for k in ("intent", "confidence", "cause") if entry.get(k) not in (None, "")
            )
            screen.line("engine", f"heard “{said}” ({meaning})")
        case "dialogue.key":
            screen.line("engine", f"key {entry.get('key', '')}")
        case "dialogue.action":
            screen.line("engine", f"{entry.get('action')}: {entry.get('outcome')} in {entry.get('took_s')} s")
        case "handoff.connected":
            screen.line("engine", f"joined with {entry.get('destination')}")
        case "call.end":
            screen.line(
                "engine", f"call over: {entry.get('outcome')} ({entry.get('ended_by')}: {entry.get('end_reason')})"
            )
            screen.call_ended(str(entry.get("call_id")))
        case _:
            if entry.get("level") in {"error", "warning"}:
                screen.line("engine", f"{entry['level']}: {entry.get('event')} {entry.get('error', '')}")
