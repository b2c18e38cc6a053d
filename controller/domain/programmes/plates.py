"""Plates of members: announced, verified at the POS, bound by a purchase, changed once a year, released when sold."""

from datetime import date

from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.events import AddPlate, ChangePlate, SoldPlate
from controller.domain.programmes.folding import fold_plate
from controller.domain.programmes.members import APP, Holder, Plates
from controller.domain.programmes.quoting import PlateStanding
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.reversing import take_back
from controller.domain.programmes.rules import PlateRule


def plates_of(holder: Holder) -> Plates:
    """A member's plates, made when they are first asked for."""
    if holder.plates is None:
        holder.plates = Plates()
    return holder.plates


def plate_standing(books: Books, holder: Holder, plate: str, card: str) -> PlateStanding:
    """What a purchase with this plate, by a card or (without one) by the app, would be."""
    rule = books.rules.plates
    if rule is None or not plate:
        return "none"
    owner = books.plates.get(plate)
    if owner is holder:
        return "bound"
    plates = plates_of(holder)
    if len(plates.bound.get(card, ())) >= _most(rule, card):
        return "plate_limit"
    if owner is not None:
        return "plate_in_use"
    return "binds" if plate in plates.verified else "not_verified"


def bind(books: Books, holder: Holder, plate: str, card: str) -> None:
    """A purchase with a verified plate binds it."""
    plates = plates_of(holder)
    for waiting in plates.waiting.values():
        if plate in waiting:
            waiting.remove(plate)
    plates.bound.setdefault(card, []).append(plate)
    books.plates[plate] = holder


def announce(books: Books, holder: Holder, plate: str, card: str) -> Reason | None:
    """Take a plate down for a card (or the app); it is bound by a purchase later. Why not, if not."""
    rule = books.rules.plates
    if rule is None:
        return Reason.NOT_OFFERED
    plates = plates_of(holder)
    if plate in books.plates or plates.place(plate) is not None:
        return Reason.PLATE_IN_USE
    here = len(plates.bound.get(card, ())) + len(plates.waiting.get(card, ()))
    if here >= _most(rule, card):
        return Reason.PLATE_LIMIT
    plates.waiting.setdefault(card, []).append(plate)
    return None


def add(books: Books, event: AddPlate) -> Answer:
    holder = books.holder_of.get(event.member)
    reason = _wrong_holder(holder)
    if holder is None or reason is not None:
        return decline(books, event, reason or Reason.HOLDER_UNKNOWN)
    reason = announce(books, holder, fold_plate(event.plate), APP)
    return accept(books, event) if reason is None else decline(books, event, reason)


def change(books: Books, event: ChangePlate) -> Answer:
    """One plate for another, once a calendar year; the new one is verified and bound as any new one."""
    holder, rule = books.holder_of.get(event.member), books.rules.plates
    if rule is None:
        return decline(books, event, Reason.NOT_OFFERED)
    if holder is None:
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    plate, new_plate = fold_plate(event.plate), fold_plate(event.new_plate)
    plates = plates_of(holder)
    place = plates.place(plate)
    if place is None:
        return decline(books, event, Reason.PLATE_NOT_BOUND)
    if new_plate in books.plates or plates.place(new_plate) is not None:
        return decline(books, event, Reason.PLATE_IN_USE)
    if holder.cancelled:
        return decline(books, event, Reason.INACTIVE_CANCELLED)
    year = date.fromordinal(books.day).year
    done = plates.changes if plates.changed_year == year else 0
    if done >= rule.changes_a_year:
        return decline(books, event, Reason.PLATE_CHANGE_LIMIT)
    plates.changed_year, plates.changes = year, done + 1
    release(books, holder, plate)
    plates.waiting.setdefault(place[1], []).append(new_plate)
    return accept(books, event)


def sold(books: Books, event: SoldPlate) -> Answer:
    """A vehicle was sold: its plate is free, and what it earned may be taken back."""
    holder, rule = books.holder_of.get(event.member), books.rules.plates
    if rule is None:
        return decline(books, event, Reason.NOT_OFFERED)
    if holder is None:
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    plate = fold_plate(event.plate)
    if plates_of(holder).place(plate) is None:
        return decline(books, event, Reason.PLATE_NOT_BOUND)
    release(books, holder, plate)
    if rule.sold_takes_back != "all":
        return accept(books, event)
    numbers = [number for number in books.by_plate.get(plate, ()) if books.sales.holder[number] == holder.index]
    return accept(books, event, points=-sum(take_back(books, event.ref, number) for number in numbers))


def release(books: Books, holder: Holder, plate: str) -> None:
    """A plate is its member's no longer."""
    plates = plates_of(holder)
    place = plates.place(plate)
    if place is not None:
        place[0].remove(plate)
    plates.verified.discard(plate)
    if books.plates.get(plate) is holder:
        del books.plates[plate]


def _wrong_holder(holder: Holder | None) -> Reason | None:
    if holder is None:
        return Reason.HOLDER_UNKNOWN
    return Reason.INACTIVE_CANCELLED if holder.cancelled else None


def _most(rule: PlateRule, card: str) -> int:
    return rule.in_app if card == APP else rule.per_card
