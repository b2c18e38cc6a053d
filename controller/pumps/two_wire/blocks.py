"""What two-wire blocks carry, as typed values, in both directions. Numbers are the pump's raw digits.

Grades count from 1 here and from 0 on the wire. A transaction comes in 33 words, or in 39 with longer numbers: its
length tells which.

Knows nothing of check sums, and no state of a pump.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from controller.pumps.two_wire.errors import BadDigits, BadLayout, BadLength
from controller.pumps.two_wire.frame import (
    CONTROL,
    DIGIT,
    GRADES_MAX,
    TOTALS_WORDS_A_GRADE,
    Word,
    answer_block,
    data_block,
    from_digits,
    open_answer_block,
    open_data_block,
    to_digits,
)

PRICE_DIGITS = 4
PRESET_DIGITS = 5
TOTAL_DIGITS = 8
TRANSACTION_WORDS = 33
WIDE_WORDS = 39
NARROW_DIGITS = (4, 6, 6)
"""Of price, volume and money in a transaction."""
WIDE_DIGITS = (6, 8, 8)
VERSION = "001"
"""The special function that gives the pump's version."""


class Level(IntEnum):
    """Price levels."""

    FIRST = 1
    SECOND = 2


@dataclass(frozen=True, slots=True)
class VolumePreset:
    """Where to stop; this one needs a grade and a level."""

    volume: int
    grade: int
    level: Level = Level.FIRST


@dataclass(frozen=True, slots=True)
class MoneyPreset:
    """Where to stop. `digits` is 6 where the pump is set so; without `grade`, any may be taken."""

    amount: int
    grade: int | None = None
    level: Level | None = Level.FIRST
    digits: int = PRESET_DIGITS


@dataclass(frozen=True, slots=True)
class Price:
    """The unit price of one grade at one level."""

    price: int
    grade: int
    level: Level = Level.FIRST


@dataclass(frozen=True, slots=True)
class SpecialFunction:
    """A question by number, most significant digit first."""

    number: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """The last delivery. `lead`: seven words before the grade, of which only the pump's number is understood."""

    grade: int
    level: Level
    price: int
    volume: int
    amount: int
    wide: bool = False
    lead: bytes = field(default=bytes.fromhex("f1 f8 eb e1 e0 e0 e2"), compare=False)


@dataclass(frozen=True, slots=True)
class GradeTotals:
    """One grade's counters and prices."""

    grade: int
    volume: int
    amount: int
    price: int
    second_price: int


@dataclass(frozen=True, slots=True)
class Version:
    """The answer to special function 001: digits whose meaning is the maker's own, as hex."""

    text: str


ToPump = VolumePreset | MoneyPreset | Price | SpecialFunction
ToMaster = Transaction | tuple[GradeTotals, ...] | Version


def to_pump_bytes(item: ToPump) -> bytes:
    """A whole block. ValueError if a number does not fit its digits."""
    match item:
        case VolumePreset(volume, grade, level):
            body = [Word.VOLUME_PRESET, *_level(level), *_grade(grade), Word.NUMBER, *to_digits(volume, PRESET_DIGITS)]
        case MoneyPreset(amount, grade, level, digits):
            which = [*(_level(level) if level else b""), *(_grade(grade) if grade else b"")]
            body = [Word.MONEY_PRESET, *which, Word.NUMBER, *to_digits(amount, digits)]
        case Price(price, grade, level):
            body = [*_level(level), *_grade(grade), Word.PRICE, *to_digits(price, PRICE_DIGITS)]
        case SpecialFunction(number):
            body = [Word.SPECIAL, *to_digits(int(number), len(number))]
    return data_block(bytes(body))


def to_master_bytes(item: ToMaster) -> bytes:
    """A whole block. ValueError if a number does not fit its digits."""
    match item:
        case Transaction():
            price, volume, money = WIDE_DIGITS if item.wide else NARROW_DIGITS
            return answer_block(
                item.lead
                + _grade(item.grade)
                + _level(item.level)
                + bytes((Word.PRICE,))
                + to_digits(item.price, price)
                + bytes((Word.VOLUME,))
                + to_digits(item.volume, volume)
                + bytes((Word.MONEY,))
                + to_digits(item.amount, money)
            )
        case Version(text):
            question = bytes((Word.SPECIAL,)) + to_digits(int(VERSION), len(VERSION))
            return answer_block(question + bytes(DIGIT | int(nibble, 16) for nibble in text))
        case _:
            return answer_block(b"".join(map(_totals_words, item)))


def _totals_words(item: GradeTotals) -> bytes:
    return b"".join(
        (
            _grade(item.grade),
            bytes((Word.VOLUME,)),
            to_digits(item.volume, TOTAL_DIGITS),
            bytes((Word.MONEY,)),
            to_digits(item.amount, TOTAL_DIGITS),
            bytes((Word.LEVEL_1,)),
            to_digits(item.price, PRICE_DIGITS),
            bytes((Word.LEVEL_2,)),
            to_digits(item.second_price, PRICE_DIGITS),
        )
    )


def _grade(grade: int) -> bytes:
    return bytes((Word.GRADE,)) + to_digits(grade - 1, 1)


def _level(level: Level) -> bytes:
    return bytes((Word.LEVEL_1 if level is Level.FIRST else Word.LEVEL_2,))


def to_pump(data: bytes) -> ToPump:
    """A whole block from the console. A `FrameError` says why it is none."""
    words = _Words(open_data_block(data))
    first = words.control()
    match first:
        case Word.VOLUME_PRESET | Word.MONEY_PRESET:
            return _preset(first, words)
        case Word.LEVEL_1 | Word.LEVEL_2:
            level = Level.FIRST if first is Word.LEVEL_1 else Level.SECOND
            grade = words.grade()
            words.expect(Word.PRICE)
            return Price(words.last_digits(PRICE_DIGITS), grade, level)
        case Word.SPECIAL:
            return SpecialFunction(f"{words.last_digits(3):03d}")
        case _:
            raise BadLayout(data.hex(" "))


def _preset(first: Word, words: "_Words") -> VolumePreset | MoneyPreset:
    level = words.level() if words.next_is(Word.LEVEL_1, Word.LEVEL_2) else None
    grade = words.grade() if words.next_is(Word.GRADE) else None
    words.expect(Word.NUMBER)
    if first is Word.MONEY_PRESET:
        digits = min(max(words.left, PRESET_DIGITS), PRESET_DIGITS + 1)
        return MoneyPreset(words.last_digits(digits), grade, level, digits)
    if grade is None or level is None:
        raise BadLayout("a preset of volume needs a grade and a level")
    return VolumePreset(words.last_digits(PRESET_DIGITS), grade, level)


def transaction_of(data: bytes) -> Transaction:
    """A whole transaction block, of either length. A `FrameError` says why it is none."""
    body = open_answer_block(data)
    if len(data) not in (TRANSACTION_WORDS, WIDE_WORDS):
        raise BadLength(f"{len(data)} words instead of {TRANSACTION_WORDS} or {WIDE_WORDS}: {data.hex(' ')}")
    wide = len(data) == WIDE_WORDS
    price_digits, volume_digits, money_digits = WIDE_DIGITS if wide else NARROW_DIGITS
    lead, words = body[:7], _Words(body[7:])
    if lead[0] & CONTROL != CONTROL or lead[1] != Word.NUMBER or any(word & CONTROL != DIGIT for word in lead[2:]):
        raise BadLayout(data.hex(" "))
    grade = words.grade()
    level = words.level()
    words.expect(Word.PRICE)
    price = words.digits(price_digits)
    words.expect(Word.VOLUME)
    volume = words.digits(volume_digits)
    words.expect(Word.MONEY)
    return Transaction(grade, level, price, volume, words.last_digits(money_digits), wide, lead)


def totals_of(data: bytes) -> tuple[GradeTotals, ...]:
    """A whole totals block. A `FrameError` says why it is none."""
    body = open_answer_block(data)
    count, rest = divmod(len(body), TOTALS_WORDS_A_GRADE)
    if rest or not 1 <= count <= GRADES_MAX:
        raise BadLength(f"{len(data)} words are no totals: {data.hex(' ')}")
    found = tuple(
        _grade_totals(_Words(body[at : at + TOTALS_WORDS_A_GRADE])) for at in range(0, len(body), TOTALS_WORDS_A_GRADE)
    )
    if len({item.grade for item in found}) != count:
        raise BadLayout(f"a grade twice: {data.hex(' ')}")
    return found


def _grade_totals(words: "_Words") -> GradeTotals:
    grade = words.grade()
    words.expect(Word.VOLUME)
    volume = words.digits(TOTAL_DIGITS)
    words.expect(Word.MONEY)
    amount = words.digits(TOTAL_DIGITS)
    words.expect(Word.LEVEL_1)
    price = words.digits(PRICE_DIGITS)
    words.expect(Word.LEVEL_2)
    return GradeTotals(grade, volume, amount, price, words.last_digits(PRICE_DIGITS))


def version_of(data: bytes) -> Version:
    """Any whole block that answers the question for the version: its digits are shown as they are."""
    body = open_answer_block(data)
    question = bytes((Word.SPECIAL,)) + to_digits(int(VERSION), len(VERSION))
    return Version("".join(f"{word & 0x0F:x}" for word in body.removeprefix(question) if word & CONTROL == DIGIT))


class _Words:
    """Words read one after the other; `BadLayout` as soon as one is not what it should be."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._body) - self._at

    def control(self) -> Word:
        word = self._take(1)[0]
        try:
            return Word(word)
        except ValueError:
            raise BadLayout(self._body.hex(" ")) from None

    def expect(self, word: Word) -> None:
        if self._take(1)[0] != word:
            raise BadLayout(self._body.hex(" "))

    def next_is(self, *words: Word) -> bool:
        return self.left > 0 and self._body[self._at] in words

    def grade(self) -> int:
        self.expect(Word.GRADE)
        return self.digits(1) + 1

    def level(self) -> Level:
        if not self.next_is(Word.LEVEL_1, Word.LEVEL_2):
            raise BadLayout(self._body.hex(" "))
        return Level.FIRST if self.control() is Word.LEVEL_1 else Level.SECOND

    def digits(self, count: int) -> int:
        words = self._take(count)
        if any(word & CONTROL != DIGIT for word in words):
            raise BadLayout(self._body.hex(" "))
        try:
            return from_digits(words)
        except BadDigits:
            raise BadDigits(self._body.hex(" ")) from None

    def last_digits(self, count: int) -> int:
        """These, and nothing after them."""
        value = self.digits(count)
        if self.left:
            raise BadLayout(self._body.hex(" "))
        return value

    def _take(self, count: int) -> bytes:
        if self.left < count:
            raise BadLayout(self._body.hex(" "))
        self._at += count
        return self._body[self._at - count : self._at]
