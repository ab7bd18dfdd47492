"""SIP header fields (RFC 3261 section 20): a message's list of them, and typed values of those that SIP itself reads.

A value that cannot be read raises ``BadHeader``, which is answered with 400."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar, cast
from urllib.parse import unquote

T = TypeVar("T")

MAX_HEADERS = 256
_KNOWN = 1024  # values that are remembered as they were read: a dialog's messages repeat them
_LONGEST_KNOWN = 256  # characters
_COMPACT = {
    "b": "Referred-By", "c": "Content-Type", "e": "Content-Encoding", "f": "From", "i": "Call-ID", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To",
    "u": "Allow-Events", "v": "Via", "x": "Session-Expires",
}  # fmt: skip
_LISTS = frozenset({"via", "contact", "route", "record-route"})  # one value each from here on

_TELLING = frozenset({"user", "ttl", "method", "maddr"})  # parameters that never match a URI without them
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(\S*)")
_HOST_PORT = re.compile(r"(\[[^\]\s]+\]|[^\s\[\]<>\"]+?)(?::([0-9]{1,5}))?")
_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)*+)"\s*')
_PARAM = re.compile(r';\s*([^\s;=,"]+)\s*(?:=\s*("(?:[^"\\]|\\.)*+"|[^\s;,"]*))?')
_VIA = re.compile(
    r"[A-Z]+\s*/\s*\d\.\d\s*/\s*(UDP|TCP|TLS|WSS?|SCTP)\s+"
    r"(\[[^\]\s]+\]|[^\s;,]+?)\s*(?::\s*([0-9]{1,5}))?\s*(;.*)?",
    re.IGNORECASE | re.DOTALL,
)
_CSEQ = re.compile(r"0*([0-9]{1,10})\s+(\S+)")
_LONGEST_NAME = 64
_FOLD = re.compile(r"\n[ \t]+")
_LISTED = re.compile(r'(?:"(?:[^"\\]|\\.?)*+"?|<[^>]*+>?|[^,"<]++)++')  # matches anywhere: linear on hostile values


class BadMessage(ValueError):
    """A message that cannot be served; ``status``, ``phrase`` ("": the usual) and ``headers`` (_ for -) answer it."""

    status = 400
    phrase = ""
    headers: Mapping[str, str] = MappingProxyType({})


class BadHeader(BadMessage):
    """A header field that is missing or isn't what RFC 3261 says."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.phrase = reason[:60]


def host_port(host: str, port: int | None) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"


def listed(value: str) -> list[str]:
    """Split a comma-separated value; commas in quotes and angle brackets separate nothing."""
    if "," not in value:
        return [value]
    return [part for found in _LISTED.findall(value) if (part := found.strip())] or [value]


def _params(text: str) -> dict[str, str]:
    return {found[1].lower(): found[2] or "" for found in _PARAM.finditer(text)}


def _written(params: Mapping[str, str]) -> str:
    return "".join(f";{name}={value}" if value else f";{name}" for name, value in params.items())


@dataclass(frozen=True, slots=True)
class Uri:
    """A SIP or SIPS URI (section 19.1), ``host`` without brackets. Of other schemes ``user`` has all that follows."""

    scheme: str
    user: str = ""
    host: str = ""
    port: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: str = ""  # what follows "?"

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Read ``text``, which has no angle brackets. Raises BadHeader."""
        return _uri(text) if len(text) <= _LONGEST_KNOWN else cls._read(text)

    @classmethod
    def _read(cls, text: str) -> Uri:
        found = _URI.fullmatch(text.strip())
        if found is None:
            raise BadHeader(f"{text[:80]!r} is not a URI")
        scheme, rest = found[1].lower(), found[2]
        if scheme not in ("sip", "sips"):
            return cls(scheme, rest)
        user, at, where = rest.partition("@")  # the user part has parameters of its own: sip:1503;npdi@host
        where, _, headers = (where if at else rest).partition("?")
        place, semicolon, params = where.partition(";")
        sent_to = _HOST_PORT.fullmatch(place)
        if sent_to is None:
            raise BadHeader(f"{text[:80]!r} names no host")
        port = int(sent_to[2]) if sent_to[2] else None
        return cls(scheme, user if at else "", sent_to[1].strip("[]"), port, _params(semicolon + params), headers)

    def same(self, other: Uri) -> bool:
        """Whether both name one resource (section 19.1.4), where a port that is left out is the usual one."""
        if self.scheme not in ("sip", "sips") or other.scheme not in ("sip", "sips"):
            return (self.scheme, self.user.lower()) == (other.scheme, other.user.lower())
        usual = 5061 if self.scheme == "sips" else 5060
        if (self.scheme, unquote(self.user), self.host.lower(), self.port or usual) != (
            other.scheme, unquote(other.user), other.host.lower(), other.port or usual,
        ):  # fmt: skip
            return False
        ours, theirs = self.params, other.params
        return all(
            ours[name].lower() == theirs[name].lower() if name in ours and name in theirs else name not in _TELLING
            for name in {*ours, *theirs}
        )

    @property
    def bare(self) -> Uri:
        """The URI without embedded headers, to send a request to."""
        return replace(self, headers="") if self.headers else self

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user and self.host else self.user
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{host_port(self.host, self.port)}{_written(self.params)}{headers}"


@dataclass(frozen=True, slots=True)
class Address:
    """A From, To, Contact, Route … value (section 20.10). ``params`` are the header's."""

    uri: Uri
    display: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, value: str) -> Address:
        """Read ``value``. Raises BadHeader."""
        return _address(value) if len(value) <= _LONGEST_KNOWN else cls._read(value)

    @classmethod
    def _read(cls, value: str) -> Address:
        display, rest = "", value.strip()
        if rest.startswith('"'):
            quoted = _QUOTED.match(rest)
            if quoted is None:
                raise BadHeader("a quoted display name has no end")
            display, rest = re.sub(r"\\(.)", r"\1", quoted[1]), rest[quoted.end() :]
        before, bracket, inside = rest.partition("<")
        if bracket:
            inner, closed, after = inside.partition(">")
            if not closed:
                raise BadHeader("an angle bracket has no end")
        else:
            inner, semicolon, after = rest.partition(";")  # without brackets every parameter is the header's
            before, after = "", semicolon + after
        return cls(Uri.parse(inner), display or before.strip(), _params(after))

    @property
    def tag(self) -> str:
        return self.params.get("tag", "")


@lru_cache(_KNOWN)
def _uri(text: str) -> Uri:
    return Uri._read(text)


@lru_cache(_KNOWN)
def _address(value: str) -> Address:
    return Address._read(value)


@dataclass(frozen=True, slots=True)
class Via:
    """A Via value (section 20.42, RFC 3581), which says where responses go. ``transport`` is upper-case."""

    transport: str
    host: str
    port: int | None
    params: Mapping[str, str]

    @classmethod
    def parse(cls, value: str) -> Via:
        """Read ``value``. Raises BadHeader."""
        found = _VIA.fullmatch(value.strip())
        if found is None:
            raise BadHeader("bad Via")
        port = int(found[3]) if found[3] else None
        if port is not None and not 0 < port < 65536:
            raise BadHeader("bad port in Via")
        return cls(found[1].upper(), found[2].strip("[]"), port, _params(found[4] or ""))

    @property
    def branch(self) -> str:
        return self.params.get("branch", "")

    @property
    def sent_by_port(self) -> int:
        return self.port or (5061 if self.transport == "TLS" else 5060)

    def with_params(self, **params: str) -> Via:
        return Via(self.transport, self.host, self.port, {**self.params, **params})

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {host_port(self.host, self.port)}{_written(self.params)}"


@dataclass(frozen=True, slots=True)
class CSeq:
    """A CSeq value (section 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, value: str) -> CSeq:
        """Read ``value``. Raises BadHeader."""
        found = _CSEQ.fullmatch(value.strip())
        if found is None or int(found[1]) >= 2**31:
            raise BadHeader("bad CSeq")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def _in_full(name: str) -> tuple[str, str]:
    """The key of a field's name, and how it is spelt."""
    name = name.strip()
    name = _COMPACT.get(name.lower(), name)
    return name.lower(), name


_named = lru_cache(_KNOWN)(_in_full)


def _safe(name: str, value: str) -> str:
    if "\n" in value or "\r" in value or "\n" in name or ":" in name:
        raise ValueError(f"header {name!r} cannot have this value")
    return value


class Headers:
    """Header fields in order. Names keep the case they were given: not every peer knows that it doesn't matter."""

    __slots__ = ("_fields", "_typed")

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields: dict[str, tuple[str, list[str]]] = {}
        self._typed: dict[str, object] = {}
        for name, value in (fields or {}).items():
            self.add(name, value)

    @classmethod
    def parse(cls, text: str) -> Headers:
        """Read the lines of a message's head, unfold them and write compact names in full (section 7.3).

        A line without a colon is passed over. Raises BadHeader for too many."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if "\n " in text or "\n\t" in text:
            text = _FOLD.sub(" ", text)
        lines = text.split("\n")
        if len(lines) > MAX_HEADERS:
            raise BadHeader("too many headers")
        headers = cls()
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                key, spelt = _named(name) if len(name) <= _LONGEST_NAME else _in_full(name)
                if (known := headers._fields.get(key)) is None:
                    known = headers._fields[key] = (spelt, [])
                if key in _LISTS:
                    known[1].extend(listed(value.strip()))
                else:
                    known[1].append(value.strip())
        return headers

    def get(self, name: str) -> list[str]:
        """Return all values, to be read only."""
        found = self._fields.get(name.lower())
        return found[1] if found else []

    def first(self, name: str) -> str:
        """Return the first value, "" where there is none."""
        found = self._fields.get(name.lower())
        return found[1][0] if found else ""

    def typed(self, name: str, parse: Callable[[str], T]) -> T:
        """Return the first value as ``parse`` reads it, read only once; ``name`` is lower-case. Raises BadHeader."""
        known = self._typed.get(name)
        if known is None:
            if name not in self._fields:
                raise BadHeader(f"no {name}")
            known = self._typed[name] = parse(self._fields[name][1][0])
        return cast(T, known)

    def put_via(self, via: Via) -> None:
        """Put ``via`` in the place of the topmost one."""
        _, others = self._fields["via"]
        self._fields["via"] = ("Via", [_safe("Via", str(via)), *others[1:]])
        self._typed["via"] = via

    def set(self, name: str, *values: str) -> None:
        """Put ``values`` in the place of what was there, or remove it. Raises ValueError for a line break in one."""
        key = name.lower()
        self._typed.pop(key, None)
        if values:
            self._fields[key] = (name, [_safe(name, value) for value in values])
        else:
            self._fields.pop(key, None)

    def add(self, name: str, value: str) -> None:
        """Add one more value. Raises ValueError for a line break, which would smuggle in a header."""
        self._fields.setdefault(name.lower(), (name, []))[1].append(_safe(name, value))

    def items(self) -> Iterator[tuple[str, list[str]]]:
        """Iterate over names as they were given, with all their values."""
        return iter(self._fields.values())

    def joined(self) -> dict[str, str]:
        """Return the fields by lower-case name, several values joined by ", "."""
        return {name: ", ".join(values) for name, (_, values) in self._fields.items()}

    def copy(self) -> Headers:
        new = Headers()
        new._fields = {name: (spelt, list(values)) for name, (spelt, values) in self._fields.items()}
        return new

    def __len__(self) -> int:
        return len(self._fields)
