"""The small language of `wire show --filter`: a parser of its own, so that a filter can do nothing but compare.

    filter  : all { "or" all }
    all     : one { "and" one }
    one     : "(" filter ")" | FIELD "==" VALUE | FIELD "!=" VALUE | FIELD "in" "(" VALUE { "," VALUE } ")"
    FIELD   : pump | kind | crc | direction | name
    VALUE   : 3, 0x51, word, "words"

`name` is true of a frame if any of its transactions has that name; `!=` if none has. Knows no file.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from controller.wire.decode import Heard

FIELDS = ("pump", "kind", "crc", "direction", "name")
DEPTH_MAX = 20
"""Parentheses in parentheses: more is no question of a person."""
_TOKEN = re.compile(r"""\s*(?:(==|!=|[(),])|"([^"]*)"|'([^']*)'|([\w+][\w+-]*))""")

Filter = Callable[[Heard], bool]


class BadFilter(ValueError):
    """A filter that cannot be read; names the position, counted from 1."""


class _Token(NamedTuple):
    text: str
    position: int
    quoted: bool = False


def filter_of(text: str) -> Filter:
    """What tells whether a frame is wanted. `BadFilter` if the text is no filter."""
    parser = _Parser(_tokens(text), len(text) + 1)
    wanted = parser.any_of(0)
    parser.at_end()
    return wanted


def _tokens(text: str) -> list[_Token]:
    found = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            position = at + len(text[at:]) - len(text[at:].lstrip()) + 1
            raise BadFilter(f"position {position}: {text[position - 1]!r} cannot stand here")
        group = match.lastindex or 0
        found.append(_Token(match.group(group), match.start(group) + 1, group in (2, 3)))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = tokens
        self._end = end
        self._at = 0

    def at_end(self) -> None:
        if self._at < len(self._tokens):
            raise self._wrong("'and', 'or' or the end")

    def any_of(self, depth: int) -> Filter:
        parts = [self._all_of(depth)]
        while self._took("or"):
            parts.append(self._all_of(depth))
        return lambda frame: any(part(frame) for part in parts)

    def _all_of(self, depth: int) -> Filter:
        parts = [self._one(depth)]
        while self._took("and"):
            parts.append(self._one(depth))
        return lambda frame: all(part(frame) for part in parts)

    def _one(self, depth: int) -> Filter:
        if self._took("("):
            if depth >= DEPTH_MAX:
                raise BadFilter(f"position {self._position}: more than {DEPTH_MAX} parentheses in each other")
            inner = self.any_of(depth + 1)
            self._need(")")
            return inner
        position = self._position
        field = self._next("a field")
        if field.text not in FIELDS or field.quoted:
            raise BadFilter(f"position {position}: there is no field {field.text!r}: use {', '.join(FIELDS)}")
        return self._comparison(field.text)

    def _comparison(self, field: str) -> Filter:
        if self._took("in"):
            self._need("(")
            wanted = {self._value(field)}
            while self._took(","):
                wanted.add(self._value(field))
            self._need(")")
            return lambda frame: bool(wanted & _values(frame, field))
        if self._took("=="):
            value = self._value(field)
            return lambda frame: value in _values(frame, field)
        if self._took("!="):
            value = self._value(field)
            return lambda frame: value not in _values(frame, field)
        raise self._wrong("==, != or in")

    def _value(self, field: str) -> str | int:
        position = self._position
        token = self._next("a value")
        if not token.quoted and token.text in ("==", "!=", "(", ")", ","):
            raise BadFilter(f"position {position}: a value is missing before {token.text!r}")
        if field != "pump":
            return token.text
        try:
            return int(token.text, 16 if token.text.lower().startswith("0x") else 10)
        except ValueError:
            raise BadFilter(f"position {position}: a pump is a number such as 3 or 0x51, not {token.text!r}") from None

    # --- tokens ---------------------------------------------------------------------------------------------

    @property
    def _position(self) -> int:
        return self._tokens[self._at].position if self._at < len(self._tokens) else self._end

    def _wrong(self, wanted: str) -> BadFilter:
        there = repr(self._tokens[self._at].text) if self._at < len(self._tokens) else "the end"
        return BadFilter(f"position {self._position}: {wanted} is expected here, not {there}")

    def _took(self, text: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == _Token(text, self._position)
        self._at += found
        return found

    def _need(self, text: str) -> None:
        if not self._took(text):
            raise self._wrong(repr(text))

    def _next(self, wanted: str) -> _Token:
        if self._at >= len(self._tokens):
            raise self._wrong(wanted)
        self._at += 1
        return self._tokens[self._at - 1]


def _values(frame: Heard, field: str) -> set[str | int]:
    match field:
        case "pump":
            return set() if frame.address is None else {frame.address}
        case "kind":
            return {frame.kind}
        case "crc":
            return {str(frame.crc)}
        case "direction":
            return {frame.direction}
        case _:
            return {part.name for part in frame.transactions}
