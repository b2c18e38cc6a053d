"""Why a card was refused: the kinds of the card library's errors, as reasons of the catalogue. Knows no card."""

from controller.domain.reasons import Reason

CARD_REASONS: dict[str, Reason] = {
    "another_card": Reason.CARD_OTHER,
    "card_cloned": Reason.CARD_CLONED,
    "card_removed": Reason.CARD_TAKEN_AWAY,
    "card_reset": Reason.READER_SHARED,
    "card_silent": Reason.CARD_SILENT,
    "card_status": Reason.CARD_FAULTY,
    "debit_not_open": Reason.PURSE_UNKNOWN,
    "entitlement_forged": Reason.ENTITLEMENT_FORGED,
    "entitlement_key_missing": Reason.ENTITLEMENT_UNCHECKED,
    "garbled_answer": Reason.CARD_GARBLED,
    "key_missing": Reason.CARD_KEY_MISSING,
    "not_our_card": Reason.CARD_FOREIGN,
    "proof_failed": Reason.CARD_NOT_PROVEN,
    "purse_too_small": Reason.PURSE_EMPTY,
    "reader_denied": Reason.READER_DOWN,
    "reader_gone": Reason.READER_DOWN,
    "service_down": Reason.READER_DOWN,
    "sharing_violation": Reason.READER_SHARED,
}
"""By `CardError.kind`. The kinds that are not here are a card office's, and no station hears them."""


def card_reason(kind: str) -> Reason:
    """The reason for an error's kind; of one that nobody thought of: the card is faulty."""
    return CARD_REASONS.get(kind, Reason.CARD_FAULTY)
