"""How each state looks, offers of the next thing, faces of tiles, and sounds."""

import pytest
from msgspec.structs import replace

from controller.domain.desk import LinkView, Need, PointState, PointView
from controller.domain.reasons import Reason
from terminal.alarms import CALLING_EVERY_MS, Alarms
from terminal.glance import Mood, glance
from terminal.offers import Deed, offer, whole
from terminal.pad import Preset, PresetKind
from terminal.view import clock_text, headquarters_text
from terminal.widgets.face import face
from terminal.widgets.large import large
from tests.terminal.fake import AT_MS, snapshot, unpaid

S = PointState


def point(state: PointState = S.IDLE, number: int = 4) -> PointView:
    return PointView(number, state, AT_MS, "Diesel", price="43.82")


ONE, TWO = (unpaid(4),), (unpaid(4), unpaid(4, 100, "b"))


@pytest.mark.parametrize(
    ("view", "glyph", "word", "mood", "blinks"),
    [
        (point(), "·", "IDLE", Mood.QUIET, False),
        (point(S.CALLING), "▲", "CALLING", Mood.CALLING, True),
        (point(S.DECIDING), "?", "CHECKING", Mood.READY, False),
        (replace(point(S.DECIDING), need=Need.PLATE), "?", "PLATE?", Mood.CALLING, True),
        (replace(point(S.DECIDING), need=Need.GRADE), "?", "FUEL?", Mood.CALLING, True),
        (point(S.AUTHORISED), "→", "READY", Mood.READY, False),
        (point(S.FUELLING), "█", "FUELLING", Mood.FLOWING, False),
        (replace(point(S.FUELLING), unpaid=ONE), "█", "FUELLING", Mood.FLOWING, False),
        (point(S.COMPLETED), "█", "ENDING", Mood.FLOWING, False),
        (replace(point(), unpaid=ONE), "■", "PAY", Mood.PAYABLE, False),
        (replace(point(), unpaid=TWO), "■■", "PAY 2", Mood.PAYABLE, False),
        (point(S.STOPPED), "■", "STOPPED", Mood.STOPPED, True),
        (replace(point(S.REFUSED), reason=Reason.EXPIRED), "●", "REFUSED", Mood.REFUSED, False),
        (replace(point(S.ERROR), reason="E7"), "▲", "ERROR E7", Mood.ERROR, False),
        (replace(point(S.OFFLINE), since_ms=AT_MS - 12_300), "░", "NO LINK 12 s", Mood.DIM, False),
        (point(S.CLOSED), "─", "CLOSED", Mood.DIM, False),
    ],
)
def test_a_state_looks_like(view: PointView, glyph: str, word: str, mood: Mood, blinks: bool) -> None:
    seen = glance(view, 2, AT_MS)
    assert (seen.glyph, seen.word, seen.mood, seen.blinks) == (glyph, word, mood, blinks)


def test_a_refusal_says_why() -> None:
    assert "Expired" in glance(replace(point(S.REFUSED), reason=Reason.EXPIRED), 2, AT_MS).notes[0]
    assert glance(replace(point(S.REFUSED), reason="new", text="Why"), 2, AT_MS).notes[0] == "Why"


@pytest.mark.parametrize(
    ("view", "deed", "says"),
    [
        (point(), Deed.NOTHING, "nothing to do"),
        (point(S.CALLING), Deed.AUTHORISE, "let pump 4 deliver (Diesel)"),
        (point(S.REFUSED), Deed.AUTHORISE, "for CASH"),
        (replace(point(S.CALLING), unpaid=ONE), Deed.AUTHORISE, "let pump 4"),
        (replace(point(S.CALLING), unpaid=TWO), Deed.PAY, "take 450.50 TRY for pump 4"),
        (replace(point(), unpaid=ONE), Deed.PAY, "take 450.50 TRY for pump 4"),
        (replace(point(S.DECIDING), need=Need.ODOMETER), Deed.ANSWER, "type the odometer"),
        (replace(point(), unpaid=(replace(ONE[0], leased_to="till-2"),)), Deed.NOTHING, "till-2 is taking"),
        (replace(point(), unpaid=(replace(ONE[0], leased_to="till-1"),)), Deed.PAY, "take"),
        (replace(point(), unpaid=(replace(TWO[0], leased_to="till-2"), TWO[1])), Deed.PAY, "take 1.00"),
    ],
)
def test_enter_offers(view: PointView, deed: Deed, says: str) -> None:
    made = offer(snapshot((view,)), 4, "till-1")
    assert made.deed is deed
    assert says in made.text


@pytest.mark.parametrize(
    ("kind", "value", "volume_ml", "amount_minor"),
    [
        (PresetKind.MONEY, "1000", None, 100_000),
        (PresetKind.MONEY, "0.5", None, 50),
        (PresetKind.VOLUME, "20", 20_000, None),
        (PresetKind.VOLUME, "20.125", 20_125, None),
    ],
)
def test_a_preset_is_exact(kind: PresetKind, value: str, volume_ml: int | None, amount_minor: int | None) -> None:
    made = offer(snapshot((point(S.CALLING),)), 4, "till-1", Preset(kind, value))
    assert (made.deed, made.preset_volume_ml, made.preset_amount_minor) == (Deed.AUTHORISE, volume_ml, amount_minor)


@pytest.mark.parametrize(("kind", "value"), [(PresetKind.MONEY, "0"), (PresetKind.MONEY, "1.005")])
def test_an_impossible_preset_is_not_offered(kind: PresetKind, value: str) -> None:
    assert offer(snapshot((point(S.CALLING),)), 4, "till-1", Preset(kind, value)).deed is Deed.NOTHING


def test_a_pump_that_does_not_call_takes_no_preset() -> None:
    assert offer(snapshot((point(),)), 4, "t", Preset(PresetKind.MONEY, "5")).deed is Deed.NOTHING
    assert "no pump 9" in offer(snapshot((point(),)), 9, "t").text


def test_money_without_decimals_stays_whole() -> None:
    assert whole("500000", 0) == 500_000
    with pytest.raises(ValueError, match="not a whole number"):
        whole("1.5", 0)


@pytest.mark.parametrize("width", [7, 19, 21, 45])
@pytest.mark.parametrize("height", [1, 5, 7, 9, 12])
def test_a_face_fills_its_tile(width: int, height: int) -> None:
    view = replace(point(S.FUELLING), amount_minor=123_456_789, volume_ml=99_999, token="34 AB 123", text="a b c " * 9)
    rows = face(glance(view, 2, AT_MS), width, height, lit=True, stale=False)
    assert [len(row.text) for row in rows] == [width] * height


def test_a_stale_face_is_all_grey() -> None:
    rows = face(glance(point(S.CALLING), 2, AT_MS), 19, 9, lit=False, stale=True)
    assert {row.mood for row in rows} == {Mood.STALE}
    assert all(row.lit for row in rows)


def test_large_figures_are_even() -> None:
    assert len({len(line) for line in large("-0123456789.")}) == 1


def test_headquarters_is_told_in_a_word() -> None:
    assert headquarters_text(LinkView(True, True, 0, 0)) == "HQ ● 0"
    assert headquarters_text(LinkView(True, False, 14, AT_MS)) == f"HQ ■ 14 waiting since {clock_text(AT_MS)[:5]}"
    assert headquarters_text(LinkView(False, False, 0, 0)) == "HQ ─"


def test_a_calling_pump_is_heard_every_five_seconds_and_a_stop_once() -> None:
    alarms, calls, stopped = Alarms(), snapshot((point(S.CALLING),)), snapshot((point(S.STOPPED),))
    heard = [alarms.due(calls, ms) for ms in (0, 1_000, CALLING_EVERY_MS - 1, CALLING_EVERY_MS)]
    assert heard == [True, False, False, True]
    assert [alarms.due(stopped, ms) for ms in (6_000, 7_000, 60_000)] == [True, False, False]
