"""What a station's rows say of prepaid money: which grant a delivery took, what it took of an allotment, what arrived.

Runs within the transaction that stores the rows. Knows no chain and no question.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from controller.domain.allotments import HEADQUARTERS_POT, TAKEN_OFF, account_pot, token_pot
from controller.domain.allotments import taken_off as is_taken_off
from controller.domain.funds import Funds
from controller.domain.grants import grant_command, grant_of
from controller.domain.member_books import voucher_pot
from controller.domain.programme_records import Redeemed
from controller.domain.records import (
    Allotted,
    Authorised,
    Body,
    Delivery,
    RowName,
    Settlement,
    TenderKind,
    Unreserved,
)
from sync.hq.prepaid_tables import allotments, allotted_fills, allotted_rows, ended, grants, taken_off
from sync.hq.schema import oddities, postings

RESERVED, VOIDED, SETTLED = "reserved", "voided", "settled"
TOLD_TWICE = "runs_out_again"
"""The oddity of a totaliser's word on an authorisation that is over already."""
_ACCOUNT_POT = account_pot("")


class PrepaidRows:
    """Of one station."""

    def __init__(self, db: sa.Connection, station: str, now_ms: int) -> None:
        self._db = db
        self._station = station
        self._now_ms = now_ms

    def enter(self, bodies: Sequence[Body]) -> None:
        """In the order of the rows. Those of other funds cost nothing."""
        for body in bodies:
            match body.record:
                case Authorised() as record if (asked := grant_of(record)) is not None:
                    self._authorised(body.name, grant_command(asked))
                case Delivery(funds=Funds.PREPAID) as record:
                    self._delivered(body.name, record)
                case Settlement(delivery, tenders=tenders) if any(each.kind is TenderKind.ACCOUNT for each in tenders):
                    self._settled(delivery)
                case Unreserved(spent_minor=spent_minor) as record if spent_minor > 0:
                    self._ran_out(body.name, record)
                case Allotted() as record if is_taken_off(record.allotment_id):
                    self._heard(body.name, record)
                case Allotted() as record:
                    self._keep(body)
                    self._arrived(record)
                case Redeemed(voucher=voucher) if voucher:
                    self._keep(body)
                case _:
                    pass

    def keep_older(self, bodies: Iterable[Body]) -> None:
        """Those of them that came while rows of what is set apart were not kept by themselves."""
        query = sa.select(allotted_rows.c.seq, allotted_rows.c.epoch).where(allotted_rows.c.station_id == self._station)
        kept = {RowName(bytes(each.epoch), each.seq) for each in self._db.execute(query)}
        for body in bodies:
            match body.record:
                case Allotted(allotment_id) if not is_taken_off(allotment_id) and body.name not in kept:
                    self._keep(body)
                case Redeemed(voucher=voucher) if voucher and body.name not in kept:
                    self._keep(body)
                case _:
                    pass

    def _authorised(self, name: RowName, command_id: str) -> None:
        """Also where the grant was voided, or was lost here with a backup: a delivery may come of it all the same."""
        mine = grants.c.station_id == self._station, grants.c.command_id == command_id
        named = {"authorised_seq": name.seq, "authorised_epoch": name.epoch}
        free = sa.or_(grants.c.state == RESERVED, grants.c.authorised_seq.is_(None))
        self._db.execute(sa.update(grants).where(*mine, free).values(**named))
        if self._db.execute(sa.select(grants.c.state).where(*mine)).first() is None:
            lost = {"command_id": command_id, "account": "", "amount_minor": 0, "state": SETTLED}
            self._db.execute(sa.insert(grants).values(station_id=self._station, **lost, **named, asked_ms=self._now_ms))

    def _delivered(self, name: RowName, record: Delivery) -> None:
        if (authorised := record.authorised) is not None:
            self._end(authorised)
            named = grants.c.authorised_seq == authorised.seq, grants.c.authorised_epoch == authorised.epoch
            if self._grant(*named, delivered_seq=name.seq, delivered_epoch=name.epoch):
                return
            mine = sa.select(grants.c.state).where(grants.c.station_id == self._station, *named)
            if self._db.execute(mine.limit(1)).first() is not None:
                return  # headquarters' own money: nothing that was set apart there is less
        self._fill(name, self._pot_of(record), record.amount_minor, posted=False)

    def _pot_of(self, record: Delivery) -> str:
        """The account, or the card's own pot, where there is one: as the station itself takes it."""
        own = token_pot(record.token.key) if record.token is not None else ""
        mine = allotments.c.station_id == self._station, allotments.c.account == own
        known = self._db.execute(sa.select(allotments.c.allotment_id).where(*mine).limit(1)).first()
        return own if known is not None else record.account

    def _settled(self, delivery: RowName) -> None:
        named = grants.c.delivered_seq == delivery.seq, grants.c.delivered_epoch == delivery.epoch
        if not self._grant(*named, state=SETTLED):
            mine = allotted_fills.c.station_id == self._station, allotted_fills.c.seq == delivery.seq
            update = sa.update(allotted_fills).where(*mine, allotted_fills.c.epoch == delivery.epoch)
            self._db.execute(update.values(posted=True))

    def _ran_out(self, name: RowName, record: Unreserved) -> None:
        """A delivery was lost, and this is what the totaliser told of it: it takes from the balance."""
        authorised = record.authorised
        if not self._end(authorised):
            odd = {**self._named(name), "what": TOLD_TWICE, "at_ms": self._now_ms}
            self._db.execute(sa.insert(oddities).values(**odd))
            return
        account = record.pot.removeprefix(_ACCOUNT_POT)
        if record.pot == HEADQUARTERS_POT:
            named = grants.c.authorised_seq == authorised.seq, grants.c.authorised_epoch == authorised.epoch
            mine = grants.c.station_id == self._station
            account = self._db.execute(sa.select(grants.c.account).where(mine, *named)).scalar() or ""
            self._grant(*named, state=SETTLED)
        elif not record.pot.startswith(_ACCOUNT_POT):
            return
        else:
            self._fill(name, account, record.spent_minor, posted=True)
        if account:
            spent = {"account": account, "amount_minor": -record.spent_minor, "booked_ms": self._now_ms}
            self._db.execute(sa.insert(postings).values(**self._named(name), tender=0, **spent))

    def _heard(self, name: RowName, record: Allotted) -> None:
        """The station has taken it off. What it took counts: headquarters may have reckoned anew after a backup."""
        key = taken_off.c.station_id == self._station, taken_off.c.allotment_id == record.allotment_id
        account = record.pot.removeprefix(_ACCOUNT_POT)
        values: dict[str, Any] = {"arrived": True, "seq": name.seq, "epoch": name.epoch}
        values["amount_minor"] = record.amount_minor
        told = self._db.execute(sa.select(taken_off.c.amount_minor).where(*key)).scalar()
        if told is not None:
            self._db.execute(sa.update(taken_off).where(*key).values(**values))
            tell_off(self._db, self._station, name, account, told - record.amount_minor, self._now_ms)
            return
        named = {"station_id": self._station, "allotment_id": record.allotment_id, "booked_ms": self._now_ms}
        self._db.execute(sa.insert(taken_off).values(**named, account=account, **values))

    def _arrived(self, record: Allotted) -> None:
        account = record.pot.removeprefix(_ACCOUNT_POT)
        key = allotments.c.station_id == self._station, allotments.c.allotment_id == record.allotment_id
        if not self._db.execute(sa.update(allotments).where(*key).values(arrived=True)).rowcount:
            told = {
                "station_id": self._station,
                "allotment_id": record.allotment_id,
                "account": account,
                "amount_minor": record.amount_minor,
                "booked_ms": self._now_ms,
                "arrived": True,
            }
            self._db.execute(sa.insert(allotments).values(**told))

    def _keep(self, body: Body) -> None:
        said: dict[str, Any]
        match body.record:
            case Allotted(allotment_id, pot, amount_minor, valid_until_ms=until_ms):
                said = {"account": pot.removeprefix(_ACCOUNT_POT), "allotment_id": allotment_id}
                said |= {"amount_minor": amount_minor, "valid_until_ms": until_ms}
            case Redeemed(voucher=voucher, points=points):
                said = {"account": voucher_pot(voucher), "allotment_id": ""}
                said |= {"amount_minor": points, "valid_until_ms": 0}
            case _:
                return
        self._db.execute(sa.insert(allotted_rows).values(**self._named(body.name), **said))

    def _grant(self, *which: sa.ColumnElement[bool], **values: Any) -> bool:
        """Change a grant that still reserves; whether there is one."""
        mine = grants.c.station_id == self._station, grants.c.state == RESERVED
        return bool(self._db.execute(sa.update(grants).where(*mine, *which).values(**values)).rowcount)

    def _end(self, authorised: RowName) -> bool:
        """It is over; False where it was already, on this branch of the station's rows or another."""
        key = self._named(authorised)
        if self._db.execute(sa.select(ended.c.seq).filter_by(**key)).first() is not None:
            return False
        self._db.execute(sa.insert(ended).values(**key))
        return True

    def _fill(self, name: RowName, account: str, amount_minor: int, *, posted: bool) -> None:
        fill = {"account": account, "amount_minor": amount_minor, "posted": posted}
        self._db.execute(sa.insert(allotted_fills).values(**self._named(name), **fill))

    def _named(self, name: RowName) -> dict[str, Any]:
        return {"station_id": self._station, "seq": name.seq, "epoch": name.epoch}


def tell_off(db: sa.Connection, station: str, name: RowName, account: str, amount_minor: int, now_ms: int) -> None:
    """Let a station take this off (below zero), or have it again, of what is set apart there for an account.

    `name`: of the row that it comes of. The same row and account give the same id, also after a backup: then a station
    that has taken it off does not do so twice.
    """
    if not amount_minor:
        return
    allotment_id = first = f"{TAKEN_OFF}{name.text}/{account}"
    named = taken_off.c.station_id == station
    number = 1
    while db.execute(sa.select(taken_off.c.account).where(named, taken_off.c.allotment_id == allotment_id)).first():
        number += 1
        allotment_id = f"{first}/{number}"
    told: dict[str, Any] = {"account": account, "amount_minor": amount_minor, "booked_ms": now_ms, "arrived": False}
    db.execute(sa.insert(taken_off).values(station_id=station, allotment_id=allotment_id, **told))
