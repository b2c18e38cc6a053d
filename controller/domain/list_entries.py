"""What a whitelist holds beside tokens (products, prices, rules), and each of its entries as bytes.

An entry is 8 bytes of key, a byte that says what it is, and positional msgpack. The same entry gives the same bytes
everywhere, so that lists can be compared by digests; fields that have their default are left out at the end, so that
a list made before a field was added still reads, and has the same digests. Knows no file.
"""

import hashlib
from collections.abc import Sequence
from enum import IntEnum

import msgspec

from controller.domain.lists import ListRow
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.tokens import KEY_BYTES

HEAD_BYTES = KEY_BYTES + 1


class DamagedEntry(ValueError):
    """These bytes are no entry of a list."""


class EntryKind(IntEnum):
    """The byte behind the key. A number is never given a second meaning."""

    TOKEN = 1
    PRODUCT = 2
    PRICE = 3
    RULE = 4


class Product(msgspec.Struct, frozen=True, array_like=True):
    """A grade that the network sells: its code in lists, its name for people, the unit it is sold by."""

    code: str
    name: str
    unit: Unit = Unit.LITRE


class ListPrice(msgspec.Struct, frozen=True, array_like=True):
    """The price of one unit of a grade, from a moment on (UTC; 0: always).

    `stations`: the ids of those that it is for, in order, with commas between them; empty: all.
    """

    grade: str
    from_ms: int
    price: UnitPrice
    stations: str = ""

    def is_for(self, station: str) -> bool:
        return not self.stations or station in self.stations.split(",")


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """The rules of a fuel programme, by its name: the text of its TOML."""

    name: str
    toml: str


Entry = ListRow | Product | ListPrice | Rule


class Catalogue(msgspec.Struct, frozen=True):
    """What a list holds beside tokens. `signed`: it came from headquarters, and was not imported at the station."""

    version: int
    signed: bool
    products: tuple[Product, ...] = ()
    prices: tuple[ListPrice, ...] = ()
    rules: tuple[Rule, ...] = ()


_KINDS: dict[type[Entry], EntryKind] = {
    ListRow: EntryKind.TOKEN,
    Product: EntryKind.PRODUCT,
    ListPrice: EntryKind.PRICE,
    Rule: EntryKind.RULE,
}
_NOTHING = object()
_ROW_FIELDS = msgspec.structs.fields(ListRow)[1:]
TOKEN_FIELDS: tuple[str, ...] = tuple(field.name for field in _ROW_FIELDS)
"""Of a token's entry, in the order of its bytes: a row's fields but for the key, which stands before them."""
_DEFAULTS = [_NOTHING if field.required else field.default for field in _ROW_FIELDS]
_Kept = msgspec.defstruct(
    "_Kept",
    [(field.name, field.type) if field.required else (field.name, field.type, field.default) for field in _ROW_FIELDS],
    array_like=True,
)
_encoder = msgspec.msgpack.Encoder()
_token_decoder = msgspec.msgpack.Decoder(_Kept)
_decoders: dict[
    int, msgspec.msgpack.Decoder[Product] | msgspec.msgpack.Decoder[ListPrice] | msgspec.msgpack.Decoder[Rule]
] = {
    EntryKind.PRODUCT: msgspec.msgpack.Decoder(Product),
    EntryKind.PRICE: msgspec.msgpack.Decoder(ListPrice),
    EntryKind.RULE: msgspec.msgpack.Decoder(Rule),
}
_TOKEN_BYTE = bytes([EntryKind.TOKEN])


def blank_token() -> list[object]:
    """The values of `TOKEN_FIELDS` for a row without any condition; those that have no default are None."""
    return [None if default is _NOTHING else default for default in _DEFAULTS]


def token_bytes(key: bytes, values: Sequence[object]) -> bytes:
    """The entry of a token. `values` by `TOKEN_FIELDS`, as plain as msgpack; what is missing has its default."""
    last = len(values)
    while values[last - 1] == _DEFAULTS[last - 1]:
        last -= 1
    return key + _TOKEN_BYTE + _encoder.encode(values[:last])


def key_of(entry: Entry) -> bytes:
    """Where it stands in the list. Only tokens are secret; the others are found by anybody who has the list."""
    match entry:
        case ListRow():
            return entry.key
        case Product():
            name = f"product:{entry.code}"
        case ListPrice():
            name = f"price:{entry.grade}:{entry.from_ms}" + (f":{entry.stations}" if entry.stations else "")
        case Rule():
            name = f"rule:{entry.name}"
    return hashlib.sha256(name.encode()).digest()[:KEY_BYTES]


def encode_entry(entry: Entry) -> bytes:
    if isinstance(entry, ListRow):
        return token_bytes(entry.key, msgspec.structs.astuple(entry)[1:])
    head = key_of(entry) + bytes([_KINDS[type(entry)]])
    if isinstance(entry, ListPrice) and not entry.stations:
        return head + _encoder.encode((entry.grade, entry.from_ms, entry.price))
    return head + _encoder.encode(entry)


def decode_entry(data: bytes) -> Entry:
    """DamagedEntry if it is none."""
    if len(data) <= HEAD_BYTES:
        raise DamagedEntry(f"{len(data)} bytes are no entry")
    return decode_parts(data[:KEY_BYTES], data[KEY_BYTES], data[HEAD_BYTES:])


def decode_parts(key: bytes, kind: int, value: bytes) -> Entry:
    """The entry of these three parts. DamagedEntry if they are none."""
    try:
        if kind == EntryKind.TOKEN:
            return ListRow(key, *msgspec.structs.astuple(_token_decoder.decode(value)))
        entry = _decoders[kind].decode(value)
    except KeyError as error:
        raise DamagedEntry(f"entries of kind {kind} are not known here: update this end") from error
    except ValueError as error:  # msgspec's own errors are ValueErrors, as is bad UTF-8
        raise DamagedEntry(str(error)) from error
    if key_of(entry) != key:
        raise DamagedEntry("it stands under the key of another entry")
    return entry
