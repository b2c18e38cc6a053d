"""What a card signed of a change to it, as a record keeps it and headquarters checks it.

A card of the network that keeps a Transaction MAC counts its commits and signs each under a key that no station has.
A station puts what the card said into the record of that commit, so that headquarters finds sales that are missing,
doubled or made up. Words only: how it is made and checked is not known here.
"""

from enum import StrEnum

import msgspec

READER_ID_BYTES = 16
STATION_READER = b"forecourt st"
OFFICE_READER = b"headquarters".ljust(READER_ID_BYTES, b"\0")
"""What cards write down as the reader where headquarters' card office changed them."""


def station_reader_id(station: int) -> bytes:
    """The 16 bytes that name the station with this number (32 bits) in what its cards sign."""
    return STATION_READER + station.to_bytes(4, "big")


def reader_name(reader_id: bytes) -> str:
    """Who that is, in words."""
    if reader_id == OFFICE_READER:
        return "headquarters' card office"
    if len(reader_id) == READER_ID_BYTES and reader_id.startswith(STATION_READER):
        return f"station number {int.from_bytes(reader_id[len(STATION_READER) :], 'big')}"
    return f"the reader {reader_id.hex()}, which is no station of ours"


class CardAct(StrEnum):
    """What the commit was for."""

    DEBIT = "debit"
    """The maximum of a fill was taken out of the purse, before the pump was authorised."""
    REFUND = "refund"
    """What the fill left of it was given back (perhaps nothing), and the fill noted."""
    NOTE = "note"
    """The purse stayed as it was: a fill or wrong PINs were noted."""
    LOAD = "load"
    """Headquarters put value into the purse."""


class CardProof(msgspec.Struct, frozen=True, array_like=True):
    """One commit of one card. It names no person and shows no card number.

    `card_key`: the card's keyed hash, as in `TokenRef.key`. `tmc`, `tmv` (8 bytes): the card's count of commits after
    this one, and its MAC: `CommitProof.counter` and `.value`. `commands`: what the MAC is over, `CommitProof.commands`
    as it is. `reader_id`: the 16 bytes that this station gave to the card.

    `amount`: what was debited, given back or loaded, in the purse's unit; 0 where nothing was. `station` (the number
    by which cards know it), `epoch`, `seq`: the debit's name, as it was given to the card; of a note or a load, that of
    the row it belongs to.
    """

    card_key: bytes
    act: CardAct
    amount: int
    station: int
    epoch: bytes
    seq: int
    tmc: int
    tmv: bytes
    reader_id: bytes
    commands: bytes
