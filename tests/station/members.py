"""A station with members of fuel programmes: countries, cards on its list, and a headquarters that keeps points.

The list's rows of members are put in place by hand; everything else is the house's.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from controller.domain.desk import CommandResult, PayDelivery, PresentAfter, Shown
from controller.domain.funds import Funds
from controller.domain.list_entries import Catalogue
from controller.domain.lists import ListRow, LookUp, Status
from controller.domain.memberships import Membership, PurseState
from controller.domain.programme_records import Quoted
from controller.domain.quantities import CURRENCIES, Currency, UnitPrice
from controller.domain.questions import (
    CodeAnswer,
    CodeAsk,
    PhoneAnswer,
    PhoneAsk,
    PointsAnswer,
    PointsAsk,
    Question,
    QuestionAnswer,
    RedeemAnswer,
    RedeemAsk,
    VoidAnswer,
    VoidAsk,
)
from controller.domain.records import Record, TenderKind
from controller.domain.seams import US_PER_S
from controller.domain.tokens import TokenKind, fold_phone, fold_plate, fold_voucher, token_key
from controller.pumps.dart.pump import DartSettings
from controller.site import Lists
from sim.chance import Chance
from sim.headquarters import LinkQuality, SimulatedHeadquarters
from sim.loop import VirtualLoop
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import Twin
from sim.site import STATION_ID, Place
from sync.runner import LinkDown
from sync.wire import RefusedAnswer
from tests.station.house import START_MS, TILL, House, story
from tests.station.yard import DemoYard

CLEAN = LinkQuality(0, 0, 0)
HOUR_US = 3_600 * US_PER_S
AS_OF_MS = START_MS - 3_600_000


PRICES_TR: dict[str, UnitPrice] = {
    "gasoline": UnitPrice(4379, 2),
    "diesel": UnitPrice(4412, 2),
    "autogas": UnitPrice(2435, 2),
}


@dataclass(frozen=True)
class Country(DemoYard):
    """The simulated station in another country: its money, prices, language and programmes."""

    currency: Currency = CURRENCIES["TRY"]
    zone: str = "Europe/Istanbul"
    language: str = "tr"
    programmes: tuple[str, ...] = ("lpg-pass", "opet-kart", "positive-card")
    prices: Mapping[str, UnitPrice] = field(default_factory=lambda: PRICES_TR)
    products: Mapping[str, str] = field(default_factory=dict)
    more: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """Programmes of its own, by file."""

    def twin(self, place: Place) -> Twin:
        nozzles = [HeadNozzle(grade, self.prices[grade]) for grade in place.grades]
        decimals = self.currency.decimals
        settings = DartSettings(
            address=place.address,
            currency=self.currency,
            nozzles=len(place.grades),
            amount_decimals=decimals,
            price_decimals=decimals,
        )
        return DartTwin(PumpHead(nozzles, self.currency), settings)

    def toml(self) -> str:
        text = super().toml().replace('"TRY"', f'"{self.currency.code}"').replace("Europe/Istanbul", self.zone)
        for grade, price in (("gasoline", "43.79"), ("diesel", "44.12"), ("autogas", "24.35")):
            named = f'\nproduct = "{self.products[grade]}"' if grade in self.products else ""
            text = text.replace(f'price = "{price}"', f'price = "{self.prices[grade]}"{named}')
        decimals = f"amount_decimals = {self.currency.decimals}\nprice_decimals = {self.currency.decimals}"
        text = text.replace("[[points]]", f"[[points]]\n{decimals}")
        used = ", ".join(f'"{name}"' for name in self.programmes)
        return f'{text}\n[receipt]\nlanguage = "{self.language}"\n[programmes]\nuse = [{used}]\n{self.more}'


VAT_TR = '[[vat]]\nfrom = 2020-01-01\nrate = "18"\n[[vat]]\nfrom = 2023-07-10\nrate = "20"\n'
TURKEY = Country(more=VAT_TR)
VIETNAM = Country(
    currency=CURRENCIES["VND"],
    zone="Asia/Ho_Chi_Minh",
    language="vi",
    programmes=("petrolimex-id",),
    prices={"gasoline": UnitPrice(23_450, 0), "diesel": UnitPrice(20_100, 0), "autogas": UnitPrice(15_000, 0)},
    more='[[vat]]\nfrom = 2020-01-01\nrate = "10"\n',
)
UKRAINE = Country(
    currency=CURRENCIES["UAH"],
    zone="Europe/Kyiv",
    language="uk",
    programmes=("cng-interissuer",),
    prices={"gasoline": UnitPrice(5499, 2), "diesel": UnitPrice(5299, 2), "autogas": UnitPrice(2890, 2)},
    products={"autogas": "cng"},
    more='[[vat]]\nfrom = 2020-01-01\nrate = "20"\n[[vat]]\nfrom = 2020-01-01\nrate = "7"\ngrade = "autogas"\n',
)


class MemberLists:
    """The whitelist, and rows that were put in place by hand. Implements `Lists`."""

    def __init__(self, lists: Lists, rows: Mapping[bytes, ListRow]) -> None:
        self._lists = lists
        self._rows = rows

    @property
    def trouble(self) -> str:
        return self._lists.trouble

    def catalogue(self) -> Catalogue | None:
        return self._lists.catalogue()

    def look_up(self, key: bytes) -> LookUp:
        found = self._lists.look_up(key)
        row = self._rows.get(key)
        return found if row is None else msgspec.structs.replace(found, row=row)


class Office:
    """Headquarters' points. Implements `Answering`: each question once, by its command id."""

    def __init__(self) -> None:
        self.points: dict[bytes, int] = {}
        """Available, by token key."""
        self.codes: dict[bytes, str] = {}
        """One-time passwords that were sent, by token key."""
        self.refuses = ""
        """The reason with which the next redemption is refused."""
        self.programmes: dict[bytes, str] = {}
        """Whose points they are, by token key, where not "opet-kart"."""
        self.taken: dict[str, tuple[bytes, int]] = {}
        self.voided: set[str] = set()
        self.asked: list[Question] = []

    def answer(self, station: str, command_id: str, question: Question, now_ms: int) -> QuestionAnswer | RefusedAnswer:
        self.asked.append(question)
        match question:
            case PointsAsk(_, key) if key in self.points:
                return PointsAnswer("opet-kart", self._left(key), now_ms)
            case CodeAsk(_, key) if key in self.points:
                return CodeAnswer("+90 *** 33")
            case PhoneAsk(_, key, code) if key in self.codes:
                right = self.codes[key] == code
                if right:
                    del self.codes[key]
                return PhoneAnswer(right)
            case RedeemAsk():
                return self._redeem(command_id, question)
            case VoidAsk(asked):
                self.voided.add(asked)
                key, points = self.taken.pop(asked, (b"", 0))
                if points:
                    self.points[key] += points
                return VoidAnswer(points)
            case _:
                return RefusedAnswer("card_unknown", "headquarters does not know it")

    def _redeem(self, command_id: str, ask: RedeemAsk) -> QuestionAnswer | RefusedAnswer:
        if command_id in self.voided:
            return RefusedAnswer("refused", "it was voided before it came")
        if self.refuses:
            reason, self.refuses = self.refuses, ""
            return RefusedAnswer(reason, f"refused: {reason}")
        if ask.points > self.points.get(ask.token_key, 0):
            return RefusedAnswer("insufficient_points", "too few")
        self.points[ask.token_key] -= ask.points
        self.taken[command_id] = ask.token_key, ask.points
        programme = self.programmes.get(ask.token_key, "opet-kart")
        return RedeemAnswer(programme, ask.points, ask.points, self._left(ask.token_key))

    def _left(self, key: bytes) -> tuple[PurseState, ...]:
        return (PurseState("petrol", self.points[key], self.points[key]),)


class MemberRoad:
    """The way to headquarters: closed on request, or such that answers are lost."""

    def __init__(self, house: "MemberHouse") -> None:
        self.house = house
        self.headquarters = SimulatedHeadquarters(
            STATION_ID, house.clock, Chance(7, "link"), CLEAN, answering=house.office
        )
        self.closed = False
        self.answers_lost = False
        self.slow_s = 0
        """So long headquarters' answer to a question is under way."""

    async def post(self, path: str, body: bytes) -> bytes:
        if self.closed:
            await self.house.wait(2)
            raise LinkDown("headquarters cannot be reached (test): check the router")
        answer = await self.headquarters.post(path, body)
        if self.answers_lost and "request" in path:
            await self.house.wait(2)
            raise LinkDown("the answer was lost (test)")
        if self.slow_s and "request" in path:
            await self.house.wait(self.slow_s)
        return answer


class MemberHouse(House):
    """A house whose list knows members."""

    def __init__(self, loop: VirtualLoop, folder: Path, **settings: Any) -> None:
        self.rows: dict[bytes, ListRow] = {}
        for name, text in getattr(settings.get("yard"), "files", {}).items():
            (folder / name).write_text(text, encoding="utf-8")
        super().__init__(loop, folder, **settings)
        self.office = Office()

    def make_lists(self) -> Lists:
        return MemberLists(super().make_lists(), self.rows)

    async def join(self) -> MemberRoad:
        """Start the station again, with headquarters."""
        await self.kill()
        road = MemberRoad(self)
        self.transport, self.link_key = road, road.headquarters.key
        await self.start()
        await self.until(lambda: self.snapshot.link.connected, 30)
        return road

    @property
    def list_secret(self) -> bytes:
        """Of the network: by it tokens are hashed."""
        return self._list_secret

    def key(self, kind: TokenKind, value: str) -> bytes:
        """A token's keyed hash."""
        folded = {TokenKind.PHONE: fold_phone, TokenKind.PLATE: fold_plate, TokenKind.VOUCHER: fold_voucher}.get(
            kind, str
        )(value)
        return token_key(self._list_secret, kind, folded)

    def put(
        self,
        kind: TokenKind,
        value: str,
        member: Membership | None,
        *,
        status: Status = Status.ACTIVE,
        funds: Funds = Funds.NONE,
        **row: Any,
    ) -> bytes:
        """Put a token on the list. Returns its key."""
        key = self.key(kind, value)
        self.rows[key] = ListRow(key, kind, status, row.pop("account", ""), funds=funds, member=member, **row)
        return key

    def title(self, programme: str) -> str:
        """What people read of a programme."""
        return next(
            used.programme.file.programme.title for used in self.config.programmes if used.programme.name == programme
        )

    async def passes(self, hours: int) -> None:
        """Let hours pass, without looking at anything meanwhile."""
        await self.clock.sleep_until(self.now_us + hours * HOUR_US)

    @property
    def quotes(self) -> list[Quoted]:
        return [record for record in self.records if isinstance(record, Quoted)]

    def rows_of(self, kind: type[Record]) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    async def shows(self, delivery_id: str, till: str = TILL, command_id: str = "", **shown: str) -> CommandResult:
        """Show a token at a till for a delivery."""
        command = PresentAfter(command_id or self.next_id(), delivery_id, Shown(**shown))
        return await self.command(command, till)

    async def pays(
        self, delivery_id: str, given_minor: int = 0, tender: TenderKind = TenderKind.CASH, **more: Any
    ) -> CommandResult:
        """Lease and pay, perhaps with points."""
        assert (await self.lease(delivery_id)).done
        shown = more.pop("shown", None)
        command_id = more.pop("command_id", "") or self.next_id()
        return await self.command(PayDelivery(command_id, delivery_id, tender, given_minor, shown=shown, **more))


def member(programme: str, holder: str, **more: Any) -> Membership:
    """A membership as of shortly before the house opens."""
    return Membership(programme, holder, as_of_ms=more.pop("as_of_ms", AS_OF_MS), **more)


def opet(points: int = 0, holder: str = "M1", **more: Any) -> Membership:
    """An Opet Kart with points for petrol."""
    return member("opet-kart", holder, purses=(PurseState("petrol", points, points),), activated=True, **more)


def member_story(
    **settings: Any,
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """As `story`, in a house with members; in Turkey, if no other yard is named."""
    return story(**({"kind": MemberHouse, "yard": TURKEY} | settings))
