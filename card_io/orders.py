"""What a station may ask of the card in a reader's field: the changes of `card_io.purse` as data, and their sessions.

Orders go over the pipe to a reader's own process, hence msgspec structs. Each names its card by UID: all DESFire cards
look alike until they prove who they are, and the one in the field may be another by now. Knows no reader and no wire.
"""

from __future__ import annotations

from datetime import date
from typing import TypeAlias

import msgspec

from card_io.application import CardProfile
from card_io.conversation import RandomBytes
from card_io.counters import CardDebit, PurseIntent, Use
from card_io.errors import CardError
from card_io.fills import CardFill
from card_io.keys import KeyStore
from card_io.purse import DebitSession, NoteSession, RefundSession, Resolved, ResolveSession
from card_io.session import StepSession
from card_io.transaction import Changed


class _Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    uid: bytes


class DebitOrder(_Order, frozen=True, tag="debit"):
    """See DebitSession."""

    intent: PurseIntent
    reader_id: bytes
    today: date | None = None
    counted: Use | None = None


class RefundOrder(_Order, frozen=True, tag="refund"):
    """See RefundSession."""

    intent: PurseIntent
    unused: int
    fill: CardFill | None
    today: date
    reader_id: bytes
    counted: Use | None = None


class NoteOrder(_Order, frozen=True, tag="note"):
    """See NoteSession."""

    today: date
    reader_id: bytes
    fill: CardFill | None = None
    odometer_km: int | None = None
    pin_tries: int | None = None


class ResolveOrder(_Order, frozen=True, tag="resolve"):
    """See ResolveSession."""

    intent: PurseIntent
    before: CardDebit | None


ChangeOrder: TypeAlias = DebitOrder | RefundOrder | NoteOrder
CardOrder: TypeAlias = ChangeOrder | ResolveOrder


class Unresolved(msgspec.Struct, frozen=True):
    """A debit's fate could not be read: it is as unknown as before. `error_kind` is `CardError.kind`."""

    error_kind: str
    text: str


def change_session(
    order: ChangeOrder, profile: CardProfile, keys: KeyStore, random_bytes: RandomBytes
) -> StepSession[Changed]:
    """The session that carries it out. ValueError for numbers that cannot be meant."""
    match order:
        case DebitOrder():
            return DebitSession(
                profile,
                keys,
                random_bytes,
                uid=order.uid,
                intent=order.intent,
                reader_id=order.reader_id,
                today=order.today,
                counted=order.counted,
            )
        case RefundOrder():
            return RefundSession(
                profile,
                keys,
                random_bytes,
                uid=order.uid,
                intent=order.intent,
                unused=order.unused,
                fill=order.fill,
                today=order.today,
                reader_id=order.reader_id,
                counted=order.counted,
            )
        case NoteOrder():
            return NoteSession(
                profile,
                keys,
                random_bytes,
                uid=order.uid,
                reader_id=order.reader_id,
                today=order.today,
                fill=order.fill,
                odometer_km=order.odometer_km,
                pin_tries=order.pin_tries,
            )


def resolve_session(
    order: ResolveOrder, profile: CardProfile, keys: KeyStore, random_bytes: RandomBytes
) -> StepSession[Resolved]:
    """The session that carries it out."""
    return ResolveSession(profile, keys, random_bytes, uid=order.uid, intent=order.intent, before=order.before)


def not_begun(error: CardError) -> Changed:
    """The result of a change for which nothing was sent to the card."""
    return Changed("not_applied", error_kind=error.kind, text=str(error))


def unheard(error: CardError) -> Changed:
    """The result of a change of which nothing was heard any more: it may be on the card, or not."""
    return Changed("unknown", error_kind=error.kind, text=str(error))


def unread(error: CardError) -> Unresolved:
    return Unresolved(error.kind, str(error))
