"""The books as bytes and back, so that a start need not read the whole journal; and a fingerprint of what made them.

Follows the types of `Books`: a new field is taken along without a word here. Knows no file.
"""

import hashlib
import sys
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import fields
from importlib.abc import InspectLoader
from types import CodeType
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec

from controller.domain.books import Books
from controller.domain.days import BusinessDay

PIECE = 200
"""Entries that are encoded in one go: between two goes another thread may have the interpreter."""
_LEFT_OUT = "business_day"
_OURS = "controller."

_encoder = msgspec.msgpack.Encoder()


class DamagedBooks(ValueError):
    """These bytes are no books of this program."""


def _wire(kind: Any) -> Any:
    """A field's type as it is encoded: a mapping as pairs in its order, since its keys may be anything."""
    if get_origin(kind) in (dict, OrderedDict):
        key, value = get_args(kind)
        return list[tuple[key, value]]  # type: ignore[valid-type]  # made from the field's own type
    return kind


_FIELDS = {field.name: get_type_hints(Books)[field.name] for field in fields(Books) if field.name != _LEFT_OUT}
_DECODERS = {name: msgspec.msgpack.Decoder(_wire(kind)) for name, kind in _FIELDS.items()}
_pieces_decoder = msgspec.msgpack.Decoder(list[tuple[str, bytes]])


def encode_books(books: Books) -> bytes:
    """The same books give the same bytes."""
    return _encoder.encode([piece for name in _FIELDS for piece in _pieces(name, getattr(books, name))])


def decode_books(data: bytes, business_day: BusinessDay) -> Books:
    """DamagedBooks if it cannot be."""
    books = Books(business_day)
    try:
        for name, piece in _pieces_decoder.decode(data):
            value = _DECODERS[name].decode(piece)
            held = getattr(books, name)
            if isinstance(held, dict):
                held.update(value)
            else:
                setattr(books, name, value)
    except (KeyError, msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedBooks(f"no books of this program: {error}") from error
    return books


def differing(one: Books, other: Books) -> list[str]:
    """The names of the fields in which two books differ."""
    return [name for name in _FIELDS if getattr(one, name) != getattr(other, name)]


def fingerprint(business_day: BusinessDay) -> bytes:
    """Of all that the books depend on beside the rows: their fields, the code that folds, and the business day.

    A program that folds otherwise has another one, without anybody thinking of a version number.
    """
    digest = hashlib.sha256(f"{business_day.zone.key} {business_day.starts_hour}".encode())
    digest.update(_SHAPE)
    return digest.digest()


def fold_code() -> dict[str, CodeType]:
    """By module: all code of ours that the fold can reach, which is what its modules import, and those in turn."""
    found: dict[str, CodeType] = {}
    waiting = [__name__]
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        if name in found or not name.startswith(_OURS) or module is None or module.__spec__ is None:
            continue
        code = cast("InspectLoader", module.__spec__.loader).get_code(name)
        if code is None:
            continue
        found[name] = code
        named = {said for each in _codes(code) for said in each.co_names}
        waiting += [said for said in named if said.startswith(_OURS)]
        waiting += [f"{package}.{said}" for package in named if package.startswith(_OURS) for said in named]
    return found


def shape_of(code: dict[str, CodeType]) -> bytes:
    """Of the fields' types, and of everything that stands in these modules: functions, tables, defaults."""
    digest = hashlib.sha256(repr(list(_FIELDS.items())).encode())
    for name, module in sorted(code.items()):
        for part in _codes(module):
            said = f"{name} {part.co_qualname} {part.co_names} {part.co_varnames} {_constants(part.co_consts)}"
            digest.update(hashlib.sha256(said.encode(errors="surrogatepass") + part.co_code).digest())
    return digest.digest()


def _constants(values: tuple[Any, ...]) -> list[str]:
    """A set has another order in each process."""
    return [
        repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)
        for value in values
        if not isinstance(value, CodeType)
    ]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


def _pieces(name: str, value: Any) -> Iterator[tuple[str, bytes]]:
    if not isinstance(value, dict):
        yield name, _encoder.encode(value)
        return
    pairs = list(value.items())
    for first in range(0, len(pairs), PIECE):
        yield name, _encoder.encode(pairs[first : first + PIECE])


_SHAPE = shape_of(fold_code())
"""Of the program as it was loaded: its files may be another's by the time of the next checkpoint."""
