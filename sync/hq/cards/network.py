"""cards.toml: what a network's cards look like. Decoded and checked once, here; no secret in it. Knows no file."""

from __future__ import annotations

import msgspec

from card_io.application import ALL_PARTS, CardHeader, CardProfile, Part, PurseUnit
from card_io.desfire.commands import VALUE_MAX
from card_io.layout import CardLayout


class OfficeError(Exception):
    """The card office cannot do what was asked. The text says what is wrong and what to do."""


class PurseTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be spent offline: `max` is the most that a purse may hold, in its unit."""

    unit: PurseUnit
    max: int = VALUE_MAX


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is written. `transaction_mac`: None is "where there is a purse"; EV1 cards have none.

    `guests`: other acquirers' stations can be let in to read; EV1 cards have none.
    """

    aid: str
    system: str
    issuer: str
    scheme: str
    transaction_mac: bool | None = None
    guests: bool = True
    purse: PurseTable | None = None

    @property
    def parts(self) -> Part:
        parts = ALL_PARTS if self.purse else ALL_PARTS & ~Part.PURSE
        maced = self.purse is not None if self.transaction_mac is None else self.transaction_mac
        return parts if maced else parts & ~Part.TRANSACTION_MAC

    def profile(self, *issuer_keys: bytes) -> CardProfile:
        """How its cards are spoken to."""
        return CardProfile(bytes.fromhex(self.aid), self.system.encode(), issuer_keys=issuer_keys)

    def layout(self, mac_key_version: int) -> CardLayout:
        """What is on its cards."""
        if self.purse is None:
            return CardLayout(self.parts, mac_key_version=mac_key_version, guests=self.guests)
        return CardLayout(self.parts, self.purse.unit, self.purse.max, mac_key_version, self.guests)

    def header(self, card_number: str, key_version: int) -> CardHeader:
        """File 01 of one card. Raises OfficeError for a number that is none."""
        unit = None if self.purse is None else self.purse.unit
        try:
            return CardHeader(card_number, self.scheme, self.issuer, key_version, self.parts, unit)
        except ValueError as error:
            raise OfficeError(f"the card cannot be made ({error}): correct it and start again") from None


def parse_network(text: bytes | str, name: str) -> Network:
    """From the file's text; `name` is the file's, for errors. Raises OfficeError."""
    try:
        network = msgspec.toml.decode(text, type=Network)
        network.profile()
        network.layout(1)
        CardHeader("00000000", network.scheme, network.issuer, 1)
    except (msgspec.MsgspecError, ValueError) as error:
        raise OfficeError(f"{name} describes no cards ({error}): correct it and start again") from None
    return network


def template(aid: str, system: str, issuer: str, scheme: str, purse: PurseTable | None) -> str:
    """A commented cards.toml."""
    there = "[purse]" if purse else "# [purse]"
    mark = "" if purse else "# "
    unit, most = (purse.unit, purse.max) if purse else ("money_minor", 1_000_000)
    return f"""\
# What this network's cards look like. Stations need aid and system, in [cards] of station.toml.
# Change nothing here once there are cards: those that were issued stay as they are.

aid = "{aid}"           # the application on the card, 6 hex digits as they travel to it
system = "{system}"     # the network's name in the keys of its cards, 1 to 20 letters
issuer = "{issuer}"          # on each card, 1 to 8 letters and digits
scheme = "{scheme}"          # the card programme, 1 to 4 letters and digits

# transaction_mac = true  # cards sign what is done to them; false for DESFire EV1. Without it: where there is a purse
# guests = false          # no other network's stations ever read the cards; without it, those with a guest's key

{there}                 # value on the card, spent without any network
{mark}unit = "{unit}"   # money_minor, volume_ml or points
{mark}max = {most}            # the most that a card may hold
"""
