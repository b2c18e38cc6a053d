"""What a card is: held against its plan, or told to a person.

`VerifySession` needs the read key only and changes nothing: lists of files and keys are free to read. What it finds
is a list of sentences; an empty one is a good card. `ReadSession` is `TapSession` with the last fills.
"""

from __future__ import annotations

from dataclasses import dataclass

from card_io.application import CardHeader, CardProfile, Part
from card_io.conversation import Conversation, RandomBytes
from card_io.desfire.channel import Mode
from card_io.desfire.commands import get_file_ids, get_file_settings, get_key_version, read_data, read_records
from card_io.desfire.files import CyclicFile
from card_io.entitlement import ENTITLEMENT_FILE, ENTITLEMENT_LENGTH, verified
from card_io.errors import EntitlementForged, EntitlementKeyMissing, NotOurCard
from card_io.facts import CardFacts
from card_io.fills import FILL_LENGTH, FILLS_FILE, FILLS_KEPT, CardFill
from card_io.identify import facts_of
from card_io.keys import KeyStore
from card_io.layout import ENTITLEMENT_MODE, FILLS_MODE, KEY_COUNT, CardLayout, differs
from card_io.session import Steps, StepSession


@dataclass(frozen=True, slots=True)
class Verified:
    """`findings` in words, none for a good card. `key_versions` by key number."""

    uid: bytes
    header: CardHeader
    key_versions: tuple[int, ...]
    findings: tuple[str, ...]


class VerifySession(StepSession[Verified]):
    """Holds a card against the layout and, where given, against what file 01 should say.

    Raises CardError for a card that can't be proven: that is no finding about one of ours.
    """

    def __init__(
        self,
        profile: CardProfile,
        keys: KeyStore,
        random_bytes: RandomBytes,
        *,
        layout: CardLayout,
        header: CardHeader | None = None,
    ) -> None:
        super().__init__(_verify(Conversation(profile, keys, random_bytes), layout, header))


def _verify(card: Conversation, layout: CardLayout, expected: CardHeader | None) -> Steps[Verified]:
    header = yield from card.prove()
    findings: list[str] = []
    if expected is not None and header != expected:
        findings.append("file 01 does not say what it should")
    if header.parts != layout.parts or header.purse_unit != layout.purse_unit:
        findings.append("file 01 names other parts than the layout")
    planned = layout.files(knows_ev2=card.knows_ev2)
    there = yield from get_file_ids(card.channel)
    findings += [f"file {number:02X} is missing" for number in sorted(planned.keys() - there)]
    findings += [f"file {number:02X} is not planned" for number in sorted(there - planned.keys())]
    for number in sorted(there & planned.keys()):
        if difference := differs((yield from get_file_settings(card.channel, number)), planned[number]):
            findings.append(f"file {number:02X} {difference}")
    versions = []
    for number in range(KEY_COUNT):
        versions.append((yield from get_key_version(card.channel, number)))
    strays = [str(number) for number, version in enumerate(versions) if version != header.key_version]
    if strays:
        findings.append(f"keys {', '.join(strays)} are not of version {header.key_version}, which file 01 names")
    if Part.ENTITLEMENT in layout.parts and ENTITLEMENT_FILE in there:
        findings += yield from _entitlement_findings(card, header)
    return Verified(card.uid, header, tuple(versions), tuple(findings))


def _entitlement_findings(card: Conversation, header: CardHeader) -> Steps[list[str]]:
    raw = yield from read_data(card.channel, ENTITLEMENT_FILE, ENTITLEMENT_LENGTH, ENTITLEMENT_MODE)
    if not any(raw):
        return ["file 02 was never written"]
    try:
        verified(raw, card.profile.issuer_keys, card.uid, header.card_number)
    except (EntitlementForged, EntitlementKeyMissing, NotOurCard) as error:
        return [error.what]
    return []


@dataclass(frozen=True, slots=True)
class CardReading:
    """All that this station may read of a card. `fills`: the newest first."""

    facts: CardFacts
    header: CardHeader
    fills: tuple[CardFill, ...]


class ReadSession(StepSession[CardReading]):
    """What the card is, what it may, its last fills and its purse. Raises CardError."""

    def __init__(self, profile: CardProfile, keys: KeyStore, random_bytes: RandomBytes) -> None:
        super().__init__(_read(Conversation(profile, keys, random_bytes)))


def _read(card: Conversation) -> Steps[CardReading]:
    yield from card.select()
    yield from card.meet()
    version = yield from card.authenticate(card.profile.read_key_number)
    yield from card.prove_uid()
    header = yield from card.header()
    fills: tuple[CardFill, ...] = ()
    if Part.FILLS in header.parts and not card.profile.guest:
        fills = yield from _fills(card)
    facts = yield from facts_of(card, header, version)
    return CardReading(facts, header, fills)


def _fills(card: Conversation) -> Steps[tuple[CardFill, ...]]:
    settings = yield from get_file_settings(card.channel, FILLS_FILE)
    if not isinstance(settings, CyclicFile) or settings.record_size != FILL_LENGTH or settings.mode is not Mode.MAC:
        raise NotOurCard("file 04 of the card is not as this network makes it")
    count = min(settings.present, FILLS_KEPT)
    if count == 0:
        return ()  # to ask for records where there are none would end the session
    records = yield from read_records(card.channel, FILLS_FILE, FILL_LENGTH, count, FILLS_MODE)
    return tuple(CardFill.decode(record) for record in reversed(records))
