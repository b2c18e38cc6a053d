"""The DART link: every block arrives once, whatever is lost, doubled or damaged."""

import pytest

from controller.pumps.dart import link as links
from controller.pumps.dart.frame import Control, Frame, decode, encode

ADDRESS = 0x50
EOT = encode(Frame(ADDRESS, Control.EOT))


def said(link: links.Link) -> Frame:
    return decode(link.next_turn().data)


def answer(link: links.Link, control: Control, tx: int = 0, body: bytes = b"") -> list[links.LinkEvent]:
    return link.received(encode(Frame(ADDRESS, control, tx, body)))


def online() -> links.Link:
    link = links.Link(ADDRESS)
    link.next_turn()
    assert link.received(EOT) == [links.Found(), links.Nothing()]
    return link


def take(link: links.Link, tx: int, body: bytes) -> list[links.LinkEvent]:
    """The pump gives a block at a poll; the link's reply is sent."""
    assert said(link).control is Control.POLL
    events = answer(link, Control.DATA, tx, body)
    assert link.owes
    link.next_turn()
    link.received(b"")
    return events


def test_a_block_of_the_pump_is_acknowledged_at_once_and_quickly() -> None:
    link = online()
    link.next_turn()
    assert answer(link, Control.DATA, 0, b"\x01\x01\x01") == [links.Body(b"\x01\x01\x01")]
    turn = link.next_turn()
    assert decode(turn.data) == Frame(ADDRESS, Control.ACK, 0)
    assert (turn.gap_us, turn.window_us) == (5_000, 0)
    assert said(link).control is Control.POLL


def test_a_repeated_block_is_acknowledged_again_and_dropped() -> None:
    link = online()
    take(link, 0, b"a")
    assert take(link, 1, b"b") == [links.Body(b"b")]
    assert links.Body(b"b") not in take(link, 1, b"b")
    assert link.faults["duplicate"] == 1
    assert take(link, 2, b"c") == [links.Body(b"c")]


def test_the_same_number_with_another_content_is_news() -> None:
    """A pump's old block that was heard again had the number that its next one has: that one is not said twice."""
    link = online()
    take(link, 4, b"b")
    assert take(link, 4, b"c") == [links.Body(b"c")]
    assert not link.faults
    assert take(link, 5, b"d") == [links.Body(b"d")]


@pytest.mark.parametrize("wrap", [0, 1])
def test_after_the_last_number_both_ways_of_going_on_are_taken(wrap: int) -> None:
    link = online()
    for tx in range(16):
        take(link, tx, b"x")
    assert take(link, wrap, b"y") == [links.Body(b"y")]


def test_number_zero_means_that_the_pump_restarted() -> None:
    link = online()
    for tx in range(4):
        take(link, tx, b"x")
    assert take(link, 0, b"y") == [links.PeerRestarted(), links.Body(b"y")]
    assert take(link, 0, b"z") == [links.PeerRestarted(), links.Body(b"z")]


def test_any_other_number_is_refused_until_it_is_clear_that_the_pump_means_it() -> None:
    link = online()
    take(link, 0, b"a")
    for _ in range(links.NAKS_MAX):
        link.next_turn()
        assert not any(isinstance(event, links.Body) for event in answer(link, Control.DATA, 7, b"b"))
        assert said(link) == Frame(ADDRESS, Control.NAK, 7)
        link.received(b"")
    assert links.Body(b"b") in take(link, 7, b"b")


def test_a_block_goes_out_again_with_its_number_until_it_is_acknowledged() -> None:
    link = online()
    link.send(b"a")
    first = link.next_turn()
    link.received(b"")
    again = link.next_turn()
    assert first.data == again.data
    assert (first.gap_us, first.window_us, first.silence_us) == (35_000, 120_000, 15_000)
    assert answer(link, Control.ACK, 0) == [links.Delivered()]
    link.send(b"b")
    assert said(link).tx == 1


def test_three_refusals_start_the_numbers_again() -> None:
    link = online()
    link.send(b"a")
    link.next_turn()
    answer(link, Control.ACK, 0)
    link.send(b"b")
    for _ in range(links.NAKS_MAX):
        assert said(link).tx == 1
        answer(link, Control.NAK, 1)
    assert said(link).tx == 0
    for _ in range(links.NAKS_MAX - 1):
        answer(link, Control.NAK, 0)
        link.next_turn()
    assert links.GivenUp() in answer(link, Control.NAK, 0)
    assert not link.sending


def test_a_damaged_answer_gets_no_answer() -> None:
    link = online()
    link.next_turn()
    events = link.received(bytes.fromhex("50 31 01 01 01 00 00 03 FA"))
    assert [type(event) for event in events] == [links.Fault]
    assert link.faults["bad_crc"] == 1
    assert not link.owes
    assert said(link).control is Control.POLL


def test_five_missed_polls_are_offline_and_one_answer_is_online_again() -> None:
    link = online()
    for _ in range(links.MISSED_MAX - 1):
        link.next_turn()
        assert link.received(b"") == []
    link.next_turn()
    assert link.received(b"") == [links.Lost()]
    assert not link.online
    link.next_turn()
    assert link.received(b"") == []
    link.next_turn()
    assert link.received(EOT) == [links.Found(), links.Nothing()]


def test_a_pump_that_never_answers_is_lost_once() -> None:
    link = links.Link(ADDRESS)
    events: list[links.LinkEvent] = []
    for _ in range(20):
        link.next_turn()
        events += link.received(b"")
    assert events == [links.Lost()]


def test_a_block_that_is_answered_beside_the_point_is_given_up() -> None:
    link = online()
    link.send(b"a")
    events: list[links.LinkEvent] = []
    for _ in range(links.BLOCK_SENDINGS_MAX):
        link.next_turn()
        events += link.received(EOT)
    assert links.GivenUp() in events
    assert said(link).control is Control.POLL


def test_an_acknowledgement_of_another_pump_counts_for_nothing() -> None:
    link = online()
    link.send(b"a")
    link.next_turn()
    link.received(encode(Frame(0x51, Control.ACK, 0)))
    assert link.sending
    assert link.faults["wrong_address"] == 1
