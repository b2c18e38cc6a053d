"""An independent client finds the simulated card as it would find a real one: python-desfire, in this process."""

from __future__ import annotations

import pytest
from desfire import DESFire
from desfire.enums import DESFireKeyType
from desfire.exceptions import DESFireAuthException, DESFireCommunicationError

from sim.cards.card import SimCard
from sim.cards.make import new_state
from sim.cards.state import StandardFile
from tests.cards.bench import UID, seeded
from tests.cards.foreign import AID, MASTER, READER, SECRET, InProcess, aes, key, personalise


def personalised() -> SimCard:
    sim = SimCard(new_state(UID), seeded(4))
    personalise(InProcess(sim.transmit), UID)
    return sim


def test_a_card_as_delivered_is_personalised_by_a_foreign_client() -> None:
    state = personalised().state
    assert (state.master.kind, state.master.raw, state.master.version) == ("aes", MASTER, 7)
    (application,) = state.applications
    assert application.aid.hex().upper() == AID
    assert [key.raw for key in application.keys] == [MASTER, READER, bytes(16)]
    file = application.files[2]
    assert isinstance(file, StandardFile)
    assert file.data == bytes(SECRET)


def test_a_foreign_client_without_the_key_is_refused() -> None:
    client = DESFire(InProcess(personalised().transmit))
    client.select_application(AID)
    with pytest.raises(DESFireCommunicationError) as refusal:
        client.authenticate(1, aes(bytes(16)))
    assert refusal.value.status_code == 0xAE


def test_a_foreign_client_catches_a_card_that_only_pretends() -> None:
    sim = personalised()

    def pretend(frame: bytes) -> bytes:
        return b"\x00" + bytes(16) if frame[0] == 0xAF else sim.transmit(frame)

    client = DESFire(InProcess(pretend))
    client.select_application(AID)
    with pytest.raises(DESFireAuthException):
        client.authenticate(1, aes(READER))


def test_the_delivered_key_opens_nothing_once_it_is_changed() -> None:
    client = DESFire(InProcess(personalised().transmit))
    with pytest.raises(DESFireCommunicationError) as refusal:
        client.authenticate(0, key(DESFireKeyType.DF_KEY_2K3DES, bytes(8)))
    assert refusal.value.status_code == 0xAE
