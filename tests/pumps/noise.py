"""What may come over a line instead of an answer: any bytes, and real traffic that was damaged.

A `Tape` is bytes read as choices, so that Hypothesis can draw it and make it smaller. Knows no protocol.
"""

from dataclasses import dataclass, field


class Tape:
    """Bytes, read from the front; after their end there is nothing but zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)

    def below(self, count: int) -> int:
        """A number from 0, below `count`, which is 256 at most."""
        taken = self._data[self._at : self._at + 1]
        self._at += 1
        return taken[0] % count if taken else 0

    def some(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken


KEPT_MAX = 64
JUNK_MAX = 24


@dataclass
class Noise:
    """Makes of what a pump says what the master hears instead. `before`: what was said or made up earlier."""

    tape: Tape
    alphabet: bytes
    before: list[bytes] = field(default_factory=list)
    fed: int = 0
    """Bytes that no pump said just so."""

    def instead_of(self, answer: bytes) -> bytes:
        """A third of what comes is as it was said, so that the master gets on and is disturbed wherever it is."""
        tape = self.tape
        choice = tape.below(12)
        if choice < 4:
            if answer:
                self._keep(answer)
            return answer
        made = self._made(choice, answer)
        if made != answer:
            self.fed += len(made)
        return made

    def _made(self, choice: int, answer: bytes) -> bytes:
        tape = self.tape
        match choice:
            case 4:
                return tape.some(1 + tape.below(JUNK_MAX))
            case 5:
                return bytes(self.alphabet[byte % len(self.alphabet)] for byte in tape.some(1 + tape.below(JUNK_MAX)))
            case 6:
                return self._flipped(answer or self._old())
            case 7:
                return self._flipped(self._flipped(self._old()))
            case 8:
                said = answer or self._old()
                return said[: tape.below(len(said) + 1)] if tape.below(2) else said[tape.below(len(said) + 1) :]
            case 9:
                return (answer + self._old(), self._old() + answer, answer + answer)[tape.below(3)]
            case 10:
                other = bytearray(answer or self._old())
                if other:
                    other[tape.below(len(other))] = tape.below(256)
                return bytes(other)
            case _:
                return self._old()

    def _old(self) -> bytes:
        return self.before[self.tape.below(len(self.before))] if self.before else b""

    def _keep(self, answer: bytes) -> None:
        if answer not in self.before:
            self.before.append(answer)
            del self.before[:-KEPT_MAX]

    def _flipped(self, data: bytes) -> bytes:
        if not data:
            return data
        at = self.tape.below(len(data))
        return data[:at] + bytes((data[at] ^ 1 << self.tape.below(8),)) + data[at + 1 :]
