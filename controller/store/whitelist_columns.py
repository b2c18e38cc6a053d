"""The columns of a list that people write, and how rows of them become entries.

The same columns in CSV and JSONL. Nothing of a card, a plate, a phone, a voucher or a driver's code is kept but its
keyed hash. Knows no file and no line number: a ValueError says what is wrong with a row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from zoneinfo import ZoneInfo

from controller.domain.funds import Funds
from controller.domain.list_entries import (
    TOKEN_FIELDS,
    Entry,
    ListPrice,
    Product,
    Rule,
    blank_token,
    encode_entry,
    token_bytes,
)
from controller.domain.lists import Cap, Level, Measure, Status, Window
from controller.domain.memberships import MEMBER_COLUMNS, Membership
from controller.domain.programmes.programme import parse
from controller.domain.quantities import Currency, Unit
from controller.domain.tokens import (
    Assurance,
    KeyedHash,
    TokenKind,
    check_card_number,
    driver_key,
    fold_phone,
    fold_plate,
    fold_voucher,
)
from controller.store.whitelist_fields import (
    code,
    codes,
    counted,
    day_ms,
    hours,
    moment_ms,
    needed_name,
    numbers,
    one_of,
    price,
    verifier,
    yes,
)
from controller.store.whitelist_members import MemberColumns

RULE_LETTERS_MAX = 200_000
MILLI_DECIMALS = 3
REMEMBERED = 1 << 15
"""Texts of a column whose meaning is kept: a few megabytes, where every row says something else."""

TOKENS = {"card": TokenKind.CARD, "plate": TokenKind.PLATE, "phone": TokenKind.PHONE, "voucher": TokenKind.VOUCHER}
"""The columns of which a token's row has one."""
OWN_LIMITS = {"fill_volume": "fill_ml", "fill_amount": "fill_minor", "day_volume": "day_ml", "day_amount": "day_minor"}
"""Columns of limits that have a field of their own in a row."""
CAPS = {
    f"{'' if level is Level.CARD else f'{level}_'}{window}_{measure}": (level, window, measure)
    for level in Level
    for window in Window
    for measure in Measure
    if not (window is Window.FILL and measure is Measure.FILLS)
}
"""Columns of all limits: whose, over which time, of what."""
CONDITIONS = (
    "account",
    "status",
    "products",
    "valid_from",
    "valid_until",
    "only_plate",
    "ask_odometer",
    "stations",
    "hours",
    "pin_verifier",
    "pin_version",
    "drivers",
    "tank_volume",
    "vehicle",
    "funds",
    "assurance",
)
TOKEN_COLUMNS = (*TOKENS, *CONDITIONS, *CAPS, *MEMBER_COLUMNS)
PRODUCT_COLUMNS = ("product", "name", "unit")
PRICE_COLUMNS = ("price_of", "price", "from", "stations")
RULE_COLUMNS = ("rule", "file")
COLUMNS = tuple(dict.fromkeys((*TOKEN_COLUMNS, *PRODUCT_COLUMNS, *PRICE_COLUMNS, *RULE_COLUMNS)))
_SHAPES = {
    "product": (PRODUCT_COLUMNS, ("product", "name")),
    "price_of": (PRICE_COLUMNS, ("price_of", "price")),
    "rule": (RULE_COLUMNS, ("rule", "file")),
}
"""By the column that tells them from tokens: all columns of such rows, and those that may not be empty."""

_AT = {name: at for at, name in enumerate(TOKEN_FIELDS)}
_FOLDS = {
    TokenKind.CARD: check_card_number,
    TokenKind.PLATE: fold_plate,
    TokenKind.PHONE: fold_phone,
    TokenKind.VOUCHER: fold_voucher,
}

ReadRows = Callable[[Sequence[Sequence[str]]], list[bytes]]
"""From rows of fields to their entries. ValueError says what is wrong with one of them, and not with which."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the columns need to be understood. `read_rule`: the text of a rule's file; OSError if there is none."""

    secret: bytes
    currency: Currency
    zone: ZoneInfo
    read_rule: Callable[[str], str]


class Columns:
    """Turns rows into entries. One for a whole import: it remembers what texts mean."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self._tokens = {column: _Token(meaning.secret, kind, _FOLDS[kind]) for column, kind in TOKENS.items()}
        volume, money = numbers(MILLI_DECIMALS), numbers(meaning.currency.decimals)
        measures = {Measure.VOLUME: volume, Measure.AMOUNT: money, Measure.FILLS: counted}
        plates = _Token(meaning.secret, TokenKind.PLATE, fold_plate)
        fields: dict[str, tuple[str, Callable[[str], object]]] = {
            "account": ("account", needed_name),
            "status": ("status", one_of(Status, Status.ACTIVE)),
            "products": ("products", codes),
            "valid_from": ("valid_from_ms", partial(day_ms, meaning.zone)),
            "valid_until": ("valid_until_ms", partial(day_ms, meaning.zone, days_later=1)),
            "only_plate": ("plate_key", plates.key_or_nothing),
            "ask_odometer": ("ask_odometer", yes),
            "stations": ("stations", codes),
            "hours": ("hours", hours),
            "pin_verifier": ("pin", verifier),
            "pin_version": ("pin_version", counted),
            "drivers": ("drivers", self._drivers),
            "tank_volume": ("tank_ml", volume),
            "vehicle": ("vehicle_key", plates.key_or_nothing),
            "funds": ("funds", one_of(Funds, Funds.POSTPAID)),
            "assurance": ("assurance", one_of(Assurance, Assurance.IDENTIFIED)),
        }
        self._members = MemberColumns(plates.key, money)
        fields |= {column: (field, measures[CAPS[column][2]]) for column, field in OWN_LIMITS.items()}
        self._fields = {column: (_AT[field], _Known(parse)) for column, (field, parse) in fields.items()}
        self._caps = {
            column: _Known(partial(_cap, cap, measures[cap[2]]))
            for column, cap in CAPS.items()
            if column not in OWN_LIMITS
        }

    def plan(self, names: Sequence[str]) -> ReadRows:
        """How rows of these columns are read. ValueError if there can be no such rows."""
        _check_names(names)
        for column, (columns, needed) in _SHAPES.items():
            if column in names:
                return self._plan_other(column, names, columns, needed)
        return self._plan_tokens(names)

    def _plan_tokens(self, names: Sequence[str]) -> ReadRows:
        if strange := set(names) - set(TOKEN_COLUMNS):
            raise ValueError(f"the column {min(strange)} is not for cards, plates, phones and vouchers")
        tokens = [(names.index(column), column) for column in TOKENS if column in names]
        if not tokens:
            raise ValueError(f"one of the columns {', '.join((*TOKENS, *_SHAPES))} is needed: what is listed?")
        if "account" not in names:
            raise ValueError("the column account is needed: who pays")
        # In the order of our columns, not of the file's: the same conditions give the same bytes.
        plain = [(column, names.index(column), *self._fields[column]) for column in self._fields if column in names]
        caps = [(column, names.index(column), self._caps[column]) for column in self._caps if column in names]
        of_member = [(names.index(column), column) for column in MEMBER_COLUMNS if column in names]
        member = self._members.plan([column for _, column in of_member]) if of_member else None
        ends = [*([_AT["caps"]] if caps else []), *([_AT["member"]] if member else [])]
        last = max([_AT["status"], *(at for _, _, at, _ in plain), *ends])
        blank = blank_token()[: last + 1]
        blank[_AT["status"]] = Status.ACTIVE.value

        def read(rows: Sequence[Sequence[str]]) -> list[bytes]:
            _check_widths(rows, len(names))
            texts = list(zip(*rows, strict=True))
            keys, kinds = self._keys([(column, texts[index]) for index, column in tokens], len(rows))
            # By columns, not by rows: the loops over millions of fields are in C.
            values: list[Iterable[object]] = [repeat(value, len(rows)) for value in blank]
            values[_AT["kind"]] = kinds
            for column, index, at, known in plain:
                values[at] = _meanings(column, known, texts[index])
            if caps:
                limits = [_meanings(column, known, texts[index]) for column, index, known in caps]
                values[_AT["caps"]] = [tuple(filter(None, row)) for row in zip(*limits, strict=True)]
            if member is not None:
                values[_AT["member"]] = _memberships(member, [texts[index] for index, _ in of_member])
            return list(map(token_bytes, keys, zip(*values, strict=True)))

        return read

    def _keys(self, columns: list[tuple[str, Sequence[str]]], rows: int) -> tuple[list[bytes], list[str]]:
        """Each row's key, and the kind of its token."""
        keys, kinds = [b""] * rows, [""] * rows
        for column, texts in columns:
            key = self._tokens[column].key
            for at, text in enumerate(texts):
                if text and not text.isspace():
                    if keys[at]:
                        raise ValueError("a row is for one card, plate, phone or voucher: fill one of these columns")
                    keys[at] = key(text)
                    kinds[at] = column
        if b"" in keys:
            raise ValueError("a row is for a card, a plate, a phone or a voucher: fill one of these columns")
        return keys, kinds

    def _plan_other(self, kind: str, names: Sequence[str], columns: Sequence[str], needed: Sequence[str]) -> ReadRows:
        if strange := set(names) - set(columns):
            raise ValueError(f"the column {min(strange)} is not for a {kind}: a row is for one thing")
        if missing := [column for column in needed if column not in names]:
            raise ValueError(f"the column {missing[0]} is needed beside {kind}")
        makers: dict[str, Callable[[Mapping[str, str]], Entry]] = {
            "product": _product,
            "price_of": _price,
            "rule": self._rule,
        }
        make = makers[kind]

        def read(rows: Sequence[Sequence[str]]) -> list[bytes]:
            _check_widths(rows, len(names))
            return [encode_entry(make(_filled(names, row, needed))) for row in rows]

        return read

    def _rule(self, given: Mapping[str, str]) -> Rule:
        try:
            text = self._meaning.read_rule(given["file"])
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the rule's file {given['file']} cannot be read ({error})") from error
        if len(text) > RULE_LETTERS_MAX:
            raise ValueError(f"the rule's file {given['file']} has more than {RULE_LETTERS_MAX} letters")
        programme = parse(text, f"the rule's file {given['file']}")
        if programme.name != (name := code(given["rule"])):
            raise ValueError(f"the rule's file {given['file']} is of the programme {programme.name}, not of {name}")
        if programme.currency != self._meaning.currency:
            raise ValueError(
                f"the rule's file {given['file']} counts in {programme.currency.code}, and this list in "
                f"{self._meaning.currency.code}: no station could take it"
            )
        return Rule(name, text)

    def _drivers(self, text: str) -> tuple[bytes, ...]:
        return tuple(driver_key(self._meaning.secret, each) for each in text.split(";") if each.strip())


class _Token:
    """A column of tokens: from what stands there to its keyed hash."""

    def __init__(self, secret: bytes, kind: TokenKind, fold: Callable[[str], str]) -> None:
        self._hash = KeyedHash(secret, kind).of
        self._fold = fold

    def key(self, text: str) -> bytes:
        return self._hash(self._fold(text))

    def key_or_nothing(self, text: str) -> bytes:
        return self._hash(self._fold(text)) if text.strip() else b""


class _Known(dict[str, object]):
    """What texts of a column mean, as far as it is remembered: most rows of a fleet say the same."""

    def __init__(self, parse: Callable[[str], object]) -> None:
        self._parse = parse

    def __missing__(self, text: str) -> object:
        value = self._parse(text)
        if len(self) >= REMEMBERED:
            self.clear()
        self[text] = value
        return value


def _meanings(column: str, known: _Known, texts: Iterable[str]) -> list[object]:
    try:
        return list(map(known.__getitem__, texts))
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from error


def _memberships(read: Callable[[Sequence[str]], Membership | None], columns: Sequence[Sequence[str]]) -> list[object]:
    return list(map(read, zip(*columns, strict=True)))


def _product(given: Mapping[str, str]) -> Product:
    unit = one_of(Unit, Unit.LITRE)(given.get("unit", ""))
    return Product(code(given["product"]), needed_name(given["name"]), Unit(unit))


def _price(given: Mapping[str, str]) -> ListPrice:
    stations = ",".join(sorted(set(filter(None, codes(given.get("stations", "")).split(",")))))
    return ListPrice(code(given["price_of"]), moment_ms(given.get("from", "")), price(given["price"]), stations)


def _cap(cap: tuple[Level, Window, Measure], parse: Callable[[str], int], text: str) -> Cap | None:
    most = parse(text)
    return Cap(*cap, most) if most else None


def _filled(names: Sequence[str], row: Sequence[str], needed: Sequence[str]) -> dict[str, str]:
    given = {name: text.strip() for name, text in zip(names, row, strict=True)}
    if empty := [column for column in needed if not given[column]]:
        raise ValueError(f"the column {empty[0]} is empty")
    return given


def _check_names(names: Sequence[str]) -> None:
    if not any(names):
        raise ValueError("there are no columns: expected a heading such as card,account,products")
    if "pin" in names:
        raise ValueError(
            "the column pin is not taken: a PIN does not belong in a file. Give pin_verifier (forecourt whitelist pin)"
        )
    if unknown := [name for name in names if name not in COLUMNS]:
        raise ValueError(f"unknown column {', '.join(unknown)}; known are {', '.join(COLUMNS)}")
    if len(set(names)) != len(names):
        raise ValueError("a column stands twice in the heading")


def _check_widths(rows: Sequence[Sequence[str]], width: int) -> None:
    """A row cut off must not become a card without limits."""
    widths = set(map(len, rows))
    if max(widths, default=width) > width:
        raise ValueError('there are more fields than in the heading: put "a,b" in quotes where a comma belongs to it')
    if min(widths, default=width) < width:
        raise ValueError("there are fewer fields than in the heading: was the file cut off?")
