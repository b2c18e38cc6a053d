"""A card office's folder for tests, and its commands at a desk with simulated cards on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import forecourt
from card_io.vault import Vault, open_vault
from sim.cards.broken import Tear, TornCard
from sim.cards.field import FieldCard
from sim.cards.make import new_state
from sim.cards.slot import SimulatedSlot, Wrap
from sim.cards.state import load, save
from sync.hq.cards.folder import OfficeFolder
from sync.hq.cards.log import Register, decode
from sync.hq.cards.network import PurseTable, template
from sync.hq.cards.office import CardSlot
from tests.cards.bench import UID, seeded

PASSPHRASE = "correct horse battery staple"
NUMBER, OTHER, THIRD = "7001234567890123", "7001234567890131", "7001234567890149"
MASKED = "700123******0123"
CHEAP = 12  # scrypt's cost: a test's vault need not be slow to open

FORM = """\
product_set = "lpg"
currency = "TRY"
sequence = 5
valid_from = 2026-01-01
valid_until = 2028-12-31
plates = ["34 ABC 123"]

[fill]
volume_ml = 80000
amount_minor = 500000
"""


_ISSUED: dict[str, bytes] = {}


class Desk:
    """A folder with an office, blank cards, and the commands. `said` is all that any of them wrote."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.office = folder / "office"
        self.vault = Vault.make(seeded(7))
        OfficeFolder(self.office).make(
            template("F5423F", "FORECOURT TEST", "ACME", "FLT1", PurseTable("money_minor", 1_000_000)),
            self.vault.sealed(PASSPHRASE, seeded(8), CHEAP),
        )
        self.form = folder / "fleet.toml"
        self.form.write_text(FORM)
        self.card = folder / "a.card"
        self.blank(self.card)
        self.said = ""
        self._monkeypatch = monkeypatch

    def blank(self, path: Path, uid: bytes = UID) -> Path:
        save(new_state(uid), path)
        return path

    def run(self, *words: str | Path, at: Path | None = None, desk: bool = True) -> Result:
        """`forecourt card WORDS` with the card `at` on the desk; without a desk just the words."""
        place = ["--office", self.office, "--simulated", at or self.card] if desk else []
        arguments = [str(word) for word in ("card", *words, *place)]
        result = CliRunner().invoke(forecourt.main, arguments, env={"FORECOURT_CARD_PASSPHRASE": PASSPHRASE})
        self.said += result.output
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def ok(self, *words: str | Path, at: Path | None = None) -> str:
        result = self.run(*words, at=at)
        assert result.exit_code == 0, result.output
        return result.output

    def issue(self, number: str = NUMBER, at: Path | None = None) -> str:
        return self.ok("issue", "--card-number", number, "--entitlement", self.form, at=at)

    def issued(self) -> None:
        """As after `issue()`, from a copy: many tests only begin there."""
        log = self.office / "log.jsonl"
        if not _ISSUED:
            self.issue()
            _ISSUED.update(card=self.card.read_bytes(), log=log.read_bytes())
        self.card.write_bytes(_ISSUED["card"])
        log.write_bytes(_ISSUED["log"])

    def load(self, amount: int, *, number: str = NUMBER) -> Result:
        return self.run("load", "--card-number", number, "--amount", str(amount))

    def purse(self) -> int:
        """What the card says of its purse."""
        line = next(line for line in self.ok("read").splitlines() if line.startswith("purse"))
        return int(line.split()[1])

    def register(self) -> Register:
        data = (self.office / "log.jsonl").read_bytes()
        return Register(decode(data, "log"))

    def newest(self) -> Vault:
        return open_vault((self.office / "vault.json").read_bytes(), PASSPHRASE)

    @contextlib.contextmanager
    def broken(self, wrap: Wrap) -> Iterator[None]:
        """Cards are other cards than they should be, for as long as the block runs."""

        def slot(path: Path) -> CardSlot:
            return SimulatedSlot(path, wrap)

        with self._monkeypatch.context() as patch:
            patch.setattr(forecourt, "simulated_cards", slot)
            yield

    def torn(self, at: int, *, heard: bool) -> contextlib.AbstractContextManager[None]:
        """The card is torn out at its frame `at`, from 1, which it still hears or not."""
        tear = Tear(at, "after" if heard else "before")
        return self.broken(lambda card: TornCard(card, tear))

    def frames(self, *words: str | Path) -> int:
        """How many frames a command takes; the card is put back as it was, and so is the office."""
        card, log = self.card.read_bytes(), self.office / "log.jsonl"
        before = log.read_bytes() if log.exists() else b""
        counters: list[Counting] = []

        def counting(card: FieldCard) -> FieldCard:
            counters.append(Counting(card))
            return counters[-1]

        with self.broken(counting):
            self.ok(*words)
        self.card.write_bytes(card)
        log.write_bytes(before)
        load(self.card)
        return sum(counter.frames for counter in counters)


class Counting:
    """A good card that counts what it hears."""

    def __init__(self, card: FieldCard) -> None:
        self._card = card
        self.frames = 0

    @property
    def atr(self) -> bytes:
        return self._card.atr

    @property
    def latency_ms(self) -> int:
        return self._card.latency_ms

    def reset(self) -> None:
        self._card.reset()

    def transmit(self, frame: bytes) -> bytes | None:
        self.frames += 1
        return self._card.transmit(frame)
