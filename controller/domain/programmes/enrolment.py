"""Members: enrolled, activated (also by a text message), verified at a station."""

import re
from datetime import date

from controller.domain.programmes.answering import accept, decline, look_at_purses
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import years_reached
from controller.domain.programmes.events import Activate, Enrol, Sms, Verify
from controller.domain.programmes.folding import fold_name, fold_phone, fold_plate
from controller.domain.programmes.members import Consent, Holder
from controller.domain.programmes.plates import plates_of
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.rules import SmsRule


def enrol(books: Books, event: Enrol) -> Answer:
    """A new member or organisation."""
    rule = books.rules.membership
    known = books.holder_of.get(event.member)
    phone = fold_phone(event.phone) if event.phone else None
    reason: Reason | None = None
    if not books.programme.purse_names:
        reason = Reason.NOT_OFFERED
    elif known is not None:
        reason = Reason.INACTIVE_CANCELLED if known.cancelled else Reason.REFUSED
    elif not set(rule.consents) <= set(event.consents):
        reason = Reason.CONSENT_MISSING
    elif rule.age_min and event.kind == "person" and not _old_enough(books, event.birth_date, rule.age_min):
        reason = Reason.UNDER_AGE
    elif phone is not None and phone in map(fold_phone, rule.refused_phones):
        reason = Reason.REFUSED
    if reason is not None:
        return decline(books, event, reason)
    holder = books.add_holder(event.member, event.kind)
    holder.name, holder.surname, holder.phone = event.name, event.surname, phone
    holder.birth_date = event.birth_date
    holder.channel = event.channel
    holder.consents = tuple(Consent(name, books.now_ms, event.channel) for name in event.consents)
    if phone is not None:
        books.phones.setdefault(phone, holder)
    books.watch_idle(holder)
    return accept(books, event)


def activate(books: Books, event: Activate) -> Answer:
    """From now on points can be spent."""
    holder = books.holder_of.get(event.member)
    if holder is None or holder.kind not in ("person", "organisation"):
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    look_at_purses(books, holder)
    if holder.cancelled:
        return decline(books, event, Reason.INACTIVE_CANCELLED)
    holder.activated = True
    return accept(books, event)


def verify(books: Books, event: Verify) -> Answer:
    """The phone was verified at the POS; with a plate, for that plate as well."""
    holder = books.holder_of.get(event.member)
    if holder is None or holder.kind not in ("person", "organisation"):
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    if holder.cancelled:
        return decline(books, event, Reason.INACTIVE_CANCELLED)
    holder.verified = True
    if event.plate is not None:
        plates_of(holder).verified.add(fold_plate(event.plate))
    return accept(books, event)


def text_message(books: Books, event: Sms) -> Answer:
    """A message that activates a card: keyword, last digits of the card, names in capitals, date of birth."""
    rule = books.rules.sms
    if rule is None:
        return decline(books, event, Reason.NOT_OFFERED)
    read = _read(rule, event)
    if read is None:
        return decline(books, event, Reason.SMS_FORMAT)
    digits, name, birth = read
    if len(digits) == rule.card_digits:
        cards = [books.cards[digits]] if digits in books.cards else []
    else:
        cards = [card for card in books.card_endings.get(digits, ()) if card.number.endswith(digits)]
    live = [card for card in cards if not card.blocked]
    if not cards:
        return decline(books, event, Reason.CARD_UNKNOWN)
    if not live:
        return decline(books, event, Reason.CARD_BLOCKED)
    if len(live) > 1:
        return decline(books, event, Reason.CARD_AMBIGUOUS)
    holder = live[0].holder
    if holder.cancelled:
        return decline(books, event, Reason.INACTIVE_CANCELLED)
    if fold_name(name) != fold_name(f"{holder.name or ''} {holder.surname or ''}") or birth != holder.birth_date:
        return decline(books, event, Reason.IDENTITY_MISMATCH)
    holder.activated = True
    look_at_purses(books, holder)
    return accept(books, event, member=holder.id)


def card_ending(books: Books, number: str) -> str | None:
    """The last digits by which a text message may name a card; None where the programme takes no such messages."""
    rules = books.programme.file.sms
    return number[-rules[0].digits :] if rules else None


def _read(rule: SmsRule, event: Sms) -> tuple[str, str, date] | None:
    """Card digits, names and date of birth of a message; None where it has another form."""
    if "".join(event.to.split()) != rule.to:
        return None
    form = r"(\S+) ([0-9]+) (\S+(?: \S+)+) ([0-9]{2})\.([0-9]{2})\.([0-9]{4})"
    found = re.fullmatch(form, event.text.strip())
    if found is None or found[1] != rule.keyword or len(found[2]) not in (rule.digits, rule.card_digits):
        return None
    if any(ch.islower() or ch.isdigit() for ch in found[3]):
        return None
    try:
        return found[2], found[3], date(int(found[6]), int(found[5]), int(found[4]))
    except ValueError:
        return None


def _old_enough(books: Books, birth: date | None, age_min: int) -> bool:
    return birth is not None and years_reached(birth, books.day) >= age_min


def matches(holder: Holder, field: str, value: object) -> bool:
    """Whether a form's field says what is known of the holder. What is not known agrees with nothing."""
    known = getattr(holder, field)
    if known is None or value is None:
        return False
    if field in ("name", "surname"):
        return fold_name(known) == fold_name(str(value))
    if field == "phone":
        return bool(known == fold_phone(str(value)))
    return bool(known == value)
