"""The draw: anybody can repeat it from the seed."""

import hashlib
import hmac

import pytest

from controller.domain.programmes.draw import RANGE, random_numbers, shuffled
from controller.programme_files import shipped_text
from tests.programmes.bench import Lab, petrolimex

SEED = bytes(range(32))
MEMBERS = [f"M{number}" for number in range(40)] + ["Ư1", "a", "Z"]


def by_hand(seed: bytes, members: list[str]) -> list[str]:
    """The words of the specification once more, in another way."""
    order = sorted(members, key=lambda member: member.encode("utf-8"))
    counter = 0
    for last in reversed(range(1, len(order))):
        while True:
            digest = hmac.new(seed, counter.to_bytes(8, "big"), hashlib.sha256).digest()
            counter += 1
            number = int(digest[:8].hex(), 16)
            if number < (1 << 64) - (1 << 64) % (last + 1):
                break
        swap = number % (last + 1)
        order[last], order[swap] = order[swap], order[last]
    return order


def test_the_shuffle_is_the_one_that_is_published() -> None:
    assert shuffled(SEED, MEMBERS) == by_hand(SEED, MEMBERS)
    assert sorted(shuffled(SEED, MEMBERS)) == sorted(MEMBERS)
    assert shuffled(SEED, MEMBERS) != shuffled(SEED[1:], MEMBERS)


def test_the_random_numbers_begin_at_counter_0() -> None:
    first = hmac.digest(SEED, bytes(8), hashlib.sha256)[:8]
    assert next(random_numbers(SEED)) == int.from_bytes(first, "big")


def test_a_number_above_the_largest_multiple_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Among three: 2^64 is one more than a multiple, so that 2^64 - 1 counts for nobody, and 2^64 - 2 for the third."""
    for number, order in ((RANGE - 1, ["c", "a", "b"]), (RANGE - 2, ["a", "b", "c"])):
        numbers = iter([number, 1, 0])
        monkeypatch.setattr("controller.domain.programmes.draw.random_numbers", lambda _, drawn=numbers: drawn)
        assert shuffled(SEED, ["a", "b", "c"]) == order


def test_winners_are_taken_rank_by_rank_one_prize_a_member() -> None:
    lab = petrolimex()
    for number in range(2, 30):
        lab.member(f"M{number}", phone=str(number))
        lab.do("member.verify", member=f"M{number}")
    lab.member("unverified", phone="u")
    prizes = [{"rank": 1, "count": 1}, {"rank": 2, "count": 2}, {"rank": "consolation", "count": 1_000}]
    answer = lab.do("draw", seed=SEED.hex(), prizes=prizes)
    winners = answer["winners"]
    members = [f"M{number}" for number in range(1, 30)]
    assert [winner["member"] for winner in winners] == by_hand(SEED, members)
    assert [winner["rank"] for winner in winners] == [1, 2, 2, *["consolation"] * 26]
    assert answer["seed_sha256"] == hashlib.sha256(SEED).hexdigest()
    assert answer["balances"] == {}


def test_the_worked_seed_of_three_members_by_hand() -> None:
    """Numbers of one byte's seed, written down once: another key, message, byte order or loop would differ."""
    first = hmac.new(b"\x00", bytes(8), hashlib.sha256).hexdigest()[:16]
    second = hmac.new(b"\x00", bytes(7) + b"\x01", hashlib.sha256).hexdigest()[:16]
    order = ["M1", "M2", "M3"]
    for last, number in ((2, int(first, 16)), (1, int(second, 16))):
        order[last], order[number % (last + 1)] = order[number % (last + 1)], order[last]
    lab = petrolimex()
    for member in ("M3", "M2"):
        lab.member(member, phone=member)
        lab.do("member.verify", member=member)
    answer = lab.do("draw", seed="00", prizes=[{"rank": 1, "count": 1}, {"rank": 2, "count": 2}])
    assert [winner["member"] for winner in answer["winners"]] == order


def test_neither_an_organisation_nor_a_cancelled_member_is_drawn() -> None:
    toml = shipped_text("petrolimex-id")
    toml += "\n[[inactivity]]\nfrom = 2021-01-01\nmonths = 6\ndelete_points = true\n"
    lab = Lab(toml=toml, at="2023-01-05T10:00:00")
    lab.member("M1", phone="1")
    lab.member("O1", phone="2", kind="organisation")
    lab.do("member.verify", member="M1")
    lab.do("member.verify", member="O1")
    lab.member("M2", at="2023-07-01T10:00:00", phone="3")
    lab.do("member.verify", member="M2")
    prizes = [{"rank": 1, "count": 9}]
    before = lab.do("draw", "2023-07-05T09:59:59", seed="00", prizes=prizes)
    assert sorted(winner["member"] for winner in before["winners"]) == ["M1", "M2"]
    after = lab.do("draw", "2023-07-05T10:00:00", seed="00", prizes=prizes)
    assert after["winners"] == [{"rank": 1, "member": "M2"}]


def test_the_same_seed_gives_the_same_winners() -> None:
    answers = []
    for _ in range(2):
        lab = petrolimex()
        answers.append(lab.do("draw", ref="d", seed="00", prizes=[{"rank": 1, "count": 5}]))
    assert answers[0] == answers[1]
    assert answers[0]["winners"] == [{"rank": 1, "member": "M1"}]


def test_a_programme_without_a_draw_draws_nothing() -> None:
    assert Lab("opet-kart").reason("draw", seed="00", prizes=[]) == ("declined", "not_offered")
