"""From an approval to its row on disk: what a pump may deliver, and the card's purse that pays for it.

What is allowed counts against everybody's limits from the moment of the decision, also while a card is charged: two
pumps at once never both get what is left. Knows no tile, no question and no order to a pump.
"""

from dataclasses import dataclass

import msgspec

from controller.domain.allotments import PURSE_POT, Reservation
from controller.domain.funds import Funds
from controller.domain.limits import binding, preset_of
from controller.domain.products import Grade
from controller.domain.purses import Taken
from controller.domain.reasons import Reason
from controller.domain.records import Authorised, Evidence, Limits
from controller.domain.tokens import TokenRef
from controller.site import Site


@dataclass(frozen=True, slots=True)
class Approval:
    """What was approved, for whom, and from what. `held_by`: the limit of a partial approval, as it is named."""

    token: TokenRef | None
    account: str
    funds: Funds
    limits: Limits
    evidence: Evidence
    till: str
    command_id: str
    vehicle: bytes = b""
    reserved: Reservation | None = None
    held_by: str = ""


async def write_approval(site: Site, point: int, nozzle: int, grade: Grade, approval: Approval) -> Authorised | Reason:
    """Charge the purse, if one pays, and put what is allowed on disk. The reason if the purse does not pay.

    JournalUnwritable if the disk refuses. Then nothing is allowed; a purse that was charged is an open case.
    """
    preset_ml, preset_minor = preset_of(approval.limits, grade.price, site.currency)
    token = approval.token
    record = Authorised(
        point=point,
        nozzle=nozzle,
        grade=grade.code,
        unit=grade.unit,
        price=grade.price,
        token=token,
        account=approval.account,
        funds=approval.funds,
        limits=approval.limits,
        preset_volume_ml=preset_ml,
        preset_amount_minor=preset_minor,
        totaliser_before_ml=site.books.totaliser_ml(point, nozzle),
        evidence=approval.evidence,
        till=approval.till,
        command_id=approval.command_id,
        vehicle=approval.vehicle,
        reserved=approval.reserved,
        card=None if token is None else site.card_seen(token.key),
        held_by=approval.held_by,
    )
    with site.on_its_way(record):
        if approval.funds is not Funds.CARD_PURSE or token is None:
            await site.write(record)
            return record
        taken = await site.take_from_purse(point, token, approval.limits, grade.price)
        if not isinstance(taken, Taken):
            return taken
        try:
            record = _paid_by(site, record, taken)
            await site.write(taken.debited, record)
        finally:
            taken.written()
    return record


def _paid_by(site: Site, record: Authorised, taken: Taken) -> Authorised:
    """The row, within what the purse pays for."""
    preset_ml, preset_minor = preset_of(taken.limits, record.price, site.currency)
    return msgspec.structs.replace(
        record,
        limits=taken.limits,
        preset_volume_ml=preset_ml,
        preset_amount_minor=preset_minor,
        reserved=Reservation(PURSE_POT, taken.most_minor),
        purse=taken.name,
        held_by=record.held_by and binding(taken.limits, record.price, site.currency),
    )
