"""A station of another acquirer: it reads the network's cards with a guest's key, and sells by its own list."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import forecourt
from card_io.keys import FileKeyStore, KeyRing
from controller.daemon import card_profile
from controller.domain.desk import Need, PointState
from controller.domain.funds import Funds
from controller.domain.tokens import Assurance
from sim.cards.card import SimCard
from sim.cards.state import load
from sim.loop import VirtualLoop
from tests.cards.bench import NUMBER, seeded
from tests.cards.desk import PASSPHRASE, Desk
from tests.cards.office import OFFICE
from tests.cards.test_channel import Ev1Card
from tests.cards.test_guests import guest_keys
from tests.station.cards import LOADED, PIN, CardHouse, CardYard, a_card, a_purse, entitled, limited, value_of, with_pin
from tests.station.house import story

SLOT = 6
GUEST_KEYS = f"station_number = 77\nunlisted = true\nread_key_number = {SLOT}"
LIST = f"""\
card,plate,account,status,products,funds
{NUMBER},,PARTNER,active,diesel,
,16 SIM 401,BURSA,active,diesel,
"""


class GuestHouse(CardHouse):
    """As another acquirer's station runs: with its own slot in station.toml, and this slot's key alone."""

    def __init__(self, loop: VirtualLoop, folder: Path, **settings: Any) -> None:
        super().__init__(loop, folder, **{"cards_csv": LIST, "yard": CardYard(keys=GUEST_KEYS), **settings})
        self.takes(guest_keys(SLOT), OFFICE.issuer_keys)

    def takes(self, ring: KeyRing, issuer_keys: tuple[bytes, ...]) -> None:
        """This key file from its next start on."""
        table = self.config.file.cards
        assert table is not None
        self.ring, self.profile = ring, card_profile(table, issuer_keys)


guest_story = story(kind=GuestHouse)


@guest_story
async def test_a_foreign_card_is_proven_and_buys_by_the_stations_own_list(house: GuestHouse) -> None:
    card = a_card(limited(NUMBER, fill_ml=9_000))
    before = card.state.copy()
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    (authorised,) = house.authorised
    assert (authorised.account, authorised.funds, authorised.preset_volume_ml) == ("PARTNER", Funds.POSTPAID, 9_000)
    assert authorised.token is not None
    assert authorised.token.assurance is Assurance.PROVEN
    await house.fills(1, 2_000)
    await house.until(lambda: house.books.sums.sales == 1)
    assert card.state == before


@guest_story
async def test_its_signed_rights_and_its_pin_hold_here_too(house: GuestHouse) -> None:
    await house.calls(1)
    house.put_on(a_card(entitled(product_set="kerosene")))
    await house.refused("product_not_allowed")
    house.take_off()
    card = a_card(with_pin())
    before = card.state.copy()
    house.put_on(card)
    await house.until(lambda: house.point(1).need is Need.PIN)
    assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_wrong"
    assert card.state == before, "a guest writes nothing, not even a wrong PIN"
    assert (await house.answer(1, Need.PIN, PIN)).done
    await house.is_let_go(1)


@guest_story
async def test_a_card_with_a_purse_pays_as_the_list_says_and_never_from_it(house: GuestHouse) -> None:
    card = a_purse()
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    assert house.authorised[0].funds is Funds.POSTPAID
    assert value_of(card) == LOADED


@story(kind=GuestHouse, cards_csv=LIST.replace("diesel,\n", "diesel,card_purse\n", 1))
async def test_a_list_that_wants_its_purse_is_refused(house: GuestHouse) -> None:
    card = a_purse()
    await house.calls(1)
    house.put_on(card)
    await house.refused("purse_unsupported")
    assert value_of(card) == LOADED


@guest_story
async def test_a_card_of_the_first_generation_and_another_slots_key_are_refused(house: GuestHouse) -> None:
    first = Ev1Card(_without_sets(a_card()).state, seeded())
    await house.calls(1)
    house.put_on(first)
    await house.refused("card_foreign")
    house.take_off()
    await house.kill()
    house.takes(guest_keys(SLOT + 1), OFFICE.issuer_keys)
    await house.start()
    await house.state(1, PointState.CALLING)
    house.put_on(a_card())
    await house.refused("card_key_missing")


def _without_sets(card: SimCard) -> SimCard:
    for file in card.state.applications[0].files.values():
        rights = file.rights
        file.rights = type(rights)(rights.read, rights.write, rights.read_write, rights.change)
    return card


@guest_story
async def test_a_card_made_by_the_office_is_read_with_the_file_that_it_gave_the_guest(house: GuestHouse) -> None:
    """By the commands: the card office makes a card and exports the guest's key; his station sells on it."""
    with pytest.MonkeyPatch.context() as patch:
        desk = Desk(house.folder, patch)
        desk.form.write_text(desk.form.read_text().replace('"lpg"', '"diesel"').replace('plates = ["34 ABC 123"]', ""))
        desk.issue()
        words = ["keys", "export-station", str(house.folder / "guest.json"), "--office", str(desk.office)]
        environment = {"FORECOURT_CARD_PASSPHRASE": PASSPHRASE}
        made = CliRunner().invoke(forecourt.main, [*words, "--guest", str(SLOT)], env=environment)
        assert made.exit_code == 0, made.output
        assert desk.load(50_000).exit_code == 0
    await house.kill()
    store = FileKeyStore(house.folder / "guest.json")
    house.takes(store, store.issuer_keys)
    await house.start()
    card = SimCard(load(desk.card), seeded(1))
    before = card.state.copy()
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    await house.fills(1, 2_000)
    await house.until(lambda: house.books.sums.sales == 1)
    (authorised,) = house.authorised
    assert (authorised.account, authorised.funds) == ("PARTNER", Funds.POSTPAID)
    assert authorised.limits.amount_minor == 500_000, "as headquarters signed it on the card"
    assert card.state == before
