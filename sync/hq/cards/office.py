"""The card office's work, one card at a time: issue, read, verify, load, rotate, wipe.

The card is whatever stands in the `CardSlot`; sessions are `card_io`'s. What is about to be changed is in the office's
log before the card hears of it. Knows no file, no command line and no reader.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from card_io.application import CARD_KEY_NUMBER, READ_KEY_NUMBER, TRANSACTION_MAC_KEY_NUMBER, CardProfile, masked
from card_io.entitlement_form import EntitlementForm
from card_io.errors import AnotherCard, CardTaken, KeyMissing, NotOurCard
from card_io.facts import CardFacts, Purse
from card_io.inspect_card import CardReading, ReadSession, Verified, VerifySession
from card_io.issue import Issued as IssuedCard
from card_io.issue import IssueSession
from card_io.layout import CardLayout
from card_io.rotate import LoadSession, LockCardSession, RotateKeysSession, WipeSession
from card_io.rotate import Rotated as RotatedCard
from card_io.session import CardSession
from card_io.vault import Vault
from controller.domain.card_proof import OFFICE_READER, CardAct, CardProof
from sync.hq.cards.log import Event, Issued, Issuing, Loaded, Loading, LoadOutcome, NotIssued, Register, Rotated, Wiped
from sync.hq.cards.network import Network, OfficeError

SALT_LENGTH = 8
NEXT_CARD = "*"
"""A place: whichever card comes next. Of a stack of simulated ones each comes once."""

T = TypeVar("T")


class CardSlot(Protocol):
    """Where the cards are put. All methods raise CardError."""

    def present(self, place: str = "") -> None:
        """Waits for a card and takes it. `place` names it where there is a stack of simulated ones, or is NEXT_CARD."""

    def run(self, session: CardSession[T]) -> T:
        """A whole session with that card."""

    def removed(self) -> None:
        """Waits until the card is taken away."""

    def close(self) -> None:
        """Lets everything go."""


class Log(Protocol):
    """The office's log. `note` returns when the event is on disk."""

    @property
    def register(self) -> Register: ...

    def note(self, event: Event) -> None: ...


class LoadUnknown(OfficeError):
    """The load was sent, and its outcome is not known."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """`loaded`: 0 where only an earlier load was settled. `text`: what became of that one, or nothing."""

    uid: bytes
    loaded: int
    purse: Purse
    text: str = ""


class CardOffice:
    """The work. `random_bytes(n)` gives n fresh random bytes, `now_ms` the time as UTC."""

    def __init__(
        self,
        network: Network,
        vault: Vault,
        log: Log,
        slot: CardSlot,
        random_bytes: Callable[[int], bytes],
        now_ms: Callable[[], int],
    ) -> None:
        self._network, self._vault, self._log, self._slot = network, vault, log, slot
        self._random_bytes, self._now_ms = random_bytes, now_ms

    @property
    def profile(self) -> CardProfile:
        return self._network.profile(self._vault.public_key)

    @property
    def layout(self) -> CardLayout:
        return self._network.layout(self._vault.newest(TRANSACTION_MAC_KEY_NUMBER))

    @property
    def register(self) -> Register:
        """What the office did until now."""
        return self._log.register

    def issue(self, number: str, form: EntitlementForm, *, lock: bool = True, replaces: str = "") -> IssuedCard:
        """Puts this number and these rights on the card; run again after a tear, it goes on where it was.

        `lock`: the card itself gets a key of ours. Raises CardError, OfficeError.
        """
        header = self._network.header(number, self._vault.version)
        self._log.register.check_issue(number)

        is_new = number not in self._log.register.cards

        def entitlement(uid: bytes) -> bytes:
            self._log.register.check_issue(number, uid)
            signed = form.entitlement(uid, header, self._random_bytes(SALT_LENGTH)).signed(self._vault)
            if is_new:
                self._log.note(Issuing(self._now_ms(), number, uid, replaces))
            return signed

        session = IssueSession(
            self.profile, self._vault, self._random_bytes, layout=self.layout, header=header, entitlement=entitlement
        )
        try:
            issued = self._slot.run(session)
        except CardTaken:
            if is_new and number in self._log.register.cards:
                self._log.note(NotIssued(self._now_ms(), number))
            raise
        if lock and self._locked():
            issued = IssuedCard(issued.uid, (*issued.did, "gave the card a key of its own"))
        if number not in self._log.register.issued:
            self._log.note(Issued(self._now_ms(), number, issued.uid, header.key_version))
        return issued

    def _locked(self) -> bool:
        target = self._vault.newest(CARD_KEY_NUMBER)
        return self._slot.run(LockCardSession(self.profile, self._vault, self._random_bytes, target=target))

    def check_replace(self, number: str) -> None:
        """Whether this office issued the card that is to be replaced. Raises OfficeError."""
        self._log.register.uid_of(number)

    def read(self) -> CardReading:
        return self._slot.run(ReadSession(self.profile, self._vault, self._random_bytes))

    def verify(self) -> Verified:
        return self._slot.run(VerifySession(self.profile, self._vault, self._random_bytes, layout=self.layout))

    def target_version(self, target: int | None = None) -> int:
        """The version to which `rotate` brings cards. Raises KeyMissing for one that the vault does not have."""
        version = self._vault.version if target is None else target
        if version not in self._vault.fingerprints()[READ_KEY_NUMBER]:
            raise KeyMissing(f"the vault has no keys of version {version}")
        return version

    def rotate(
        self, target: int | None = None, check: Callable[[bytes], None] = lambda uid: None
    ) -> tuple[RotatedCard, int]:
        """All keys to this version, or the newest; what was changed, and the version.

        `check` gets the card's UID before anything is changed, and may raise a CardError.
        """
        version = self.target_version(target)
        rotated = self._slot.run(
            RotateKeysSession(self.profile, self._vault, self._random_bytes, target=version, check=check)
        )
        self._log.note(Rotated(self._now_ms(), rotated.uid, version))
        return rotated, version

    def wipe(self, number: str | None, *, lose_purse: bool) -> bytes:
        """Takes everything of ours off the card of this number, or off any card of ours. The card's UID."""
        uid = None if number is None else self._log.register.uid_of(number)
        wiped = self._slot.run(
            WipeSession(self.profile, self._vault, self._random_bytes, uid=uid, lose_purse=lose_purse)
        )
        self._log.note(Wiped(self._now_ms(), wiped))
        return wiped

    def load(self, number: str, amount: int, *, earlier: LoadOutcome | None = None) -> LoadResult:
        """Puts `amount` into the purse. An earlier load of unknown outcome is settled first, and nothing more is
        loaded if that one was applied after all: who repeats a command after a tear must not pay twice.

        `earlier`: a person's word on that one, where the card cannot tell. Raises LoadUnknown.
        """
        facts = self.read().facts
        purse = _purse_of(facts, number)
        text = ""
        if open_load := self._log.register.open_loads.get(facts.uid):
            outcome, text = _became(open_load, purse, earlier)
            self._log.note(Loaded(self._now_ms(), open_load.seq, outcome, text))
            if outcome == "applied":
                return LoadResult(facts.uid, 0, purse, text)
        seq = self._log.register.loads + 1
        self._log.note(Loading(self._now_ms(), seq, number, facts.uid, amount, purse.value, purse.counter))
        changed = self._slot.run(
            LoadSession(
                self.profile, self._vault, self._random_bytes, uid=facts.uid, amount=amount, reader_id=OFFICE_READER
            )
        )
        if changed.outcome == "unknown":
            raise LoadUnknown(
                f"whether {amount} was loaded is not known ({changed.text}). Put the same card on the reader and give "
                "the same command again: it finds out, and never loads twice"
            )
        if changed.outcome == "not_applied":
            self._log.note(Loaded(self._now_ms(), seq, "not_applied", changed.text or ""))
            raise OfficeError(f"nothing was loaded: {changed.text}")
        proof = None
        if changed.proof is not None:
            made = changed.proof
            proof = CardProof(
                b"", CardAct.LOAD, amount, 0, bytes(8), seq, made.counter, made.value, OFFICE_READER, made.commands
            )
        self._log.note(Loaded(self._now_ms(), seq, "applied", "the card said so", proof))
        return LoadResult(facts.uid, amount, Purse(purse.value + amount, purse.unit), text)


def _purse_of(facts: CardFacts, number: str) -> Purse:
    if facts.card_number != number:
        raise AnotherCard(f"this is card {masked(facts.card_number or '')}, not {masked(number)}")
    if facts.purse is None:
        raise NotOurCard("the card has no purse")
    return facts.purse


def _became(load: Loading, purse: Purse, word: LoadOutcome | None) -> tuple[LoadOutcome, str]:
    """What became of a load, from the card as it is now."""
    what = f"the earlier load of {load.amount}"
    if purse.counter is not None and purse.counter == load.tmc_before:
        return "not_applied", f"{what} was not applied: the card committed nothing since"
    if purse.counter is None and purse.value == load.value_before:
        return "not_applied", f"{what} was not applied: the purse is as it was"
    next_commit = purse.counter is None or load.tmc_before is None or purse.counter == load.tmc_before + 1
    if next_commit and purse.value == load.value_before + load.amount:
        return "applied", f"{what} was applied: it is in the purse, and nothing more was loaded now"
    if word is not None:
        return word, f"{what} counts as {word.replace('_', ' ')}, by the operator's word"
    raise OfficeError(
        f"the card was used since {what}, and cannot tell what became of it: look for its commit "
        f"{(load.tmc_before or 0) + 1} with forecourt hq check-cards. If a station has it, the load was not applied; "
        "if it is missing there, it was. Then say so with --earlier-load"
    )
