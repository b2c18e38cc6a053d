"""What counts against a limit: over business days, weeks and months, at three levels, whatever the clock does."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.books import Books
from controller.domain.books_state import decode_books, encode_books
from controller.domain.days import BusinessDay
from controller.domain.lists import Level, Window
from controller.domain.records import Body, Contact, Record, Released, RowName, Stamp
from controller.domain.seams import ClockQuality
from controller.domain.tokens import TokenRef
from controller.domain.usage import LENGTH_MS, key_of, window_of
from tests.domain.cases import cap
from tests.domain.rows import CARD, EPOCH, authorised, delivery

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KYIV = "Europe/Kyiv"
VEHICLE = b"plat-key"


class Journal:
    """Books that are told rows at moments: of a wall clock that may be set, and of one that only goes forward."""

    def __init__(self, zone: str = KYIV, starts_hour: int = 0, *, at: str = "2026-03-02T12:00:00") -> None:
        self.zone = ZoneInfo(zone)
        self.books = Books(BusinessDay(self.zone, starts_hour))
        self.wall_ms = self.moment(at)
        self.mono_ms = 1_000
        self.boot = 1
        self.quality = ClockQuality.FREE_RUNNING
        self.bodies: list[Body] = []

    def moment(self, text: str) -> int:
        """A local time as UTC milliseconds."""
        return int(datetime.fromisoformat(text).replace(tzinfo=self.zone).timestamp()) * 1000

    def passes(self, ms: int) -> None:
        self.wall_ms += ms
        self.mono_ms += ms

    def until(self, text: str) -> None:
        self.passes(self.moment(text) - self.wall_ms)

    def clock_set(self, by_ms: int) -> None:
        """Somebody sets the wall clock; no time passes."""
        self.wall_ms += by_ms

    def restarts(self, off_ms: int = 60_000, *, wrong_by_ms: int = 0) -> None:
        """The machine was off; its clock comes up wrong."""
        self.wall_ms += off_ms + wrong_by_ms
        self.boot, self.mono_ms = self.boot + 1, 500

    def tell(self, record: Record) -> RowName:
        name = RowName(EPOCH, len(self.bodies) + 1)
        stamp = Stamp(self.wall_ms, self.boot.to_bytes(8, "big"), self.mono_ms, self.quality)
        self.bodies.append(Body(name, stamp, record))
        self.books.apply(self.bodies[-1])
        return name

    def fill(self, litres: int = 10, *, token: TokenRef = CARD, vehicle: bytes = b"") -> None:
        allowed = msgspec.structs.replace(authorised(token=token), vehicle=vehicle)
        self.tell(delivery(litres * 1000, allowed=self.tell(allowed), token=token))

    def used(self, name: str = "day_volume", who: bytes | str = CARD.key) -> int:
        """As a decision of this moment would count it, litres for a volume."""
        usage, own = self.books.usage, cap(name, 1)
        today = self.books.business_day.of(self.wall_ms)
        count = usage.used(key_of(own.level, who), own, today, usage.elapsed.at(self.mono_ms))
        return count // 1000 if name.endswith("volume") else count


def test_use_is_counted_in_three_measures_at_three_levels() -> None:
    journal = Journal()
    other = msgspec.structs.replace(CARD, key=b"other-cd")
    journal.fill(10, vehicle=VEHICLE)
    journal.fill(20, token=other, vehicle=VEHICLE)
    assert [journal.used(f"day_{measure}") for measure in ("volume", "amount", "fills")] == [10, 43_790, 1]
    assert journal.used("vehicle_day_volume", VEHICLE) == 30
    assert journal.used("account_day_fills", "ACME") == 2
    assert journal.used("account_day_fills", "SOMEBODY") == 0
    journal.tell(delivery(5_000))
    assert journal.used("account_day_volume", "ACME") == 30, "what is paid in cash is nobody's"
    assert journal.used("fill_volume") == 0, "a fill begins at zero"


@pytest.mark.parametrize(
    ("window", "first", "last", "next_one"),
    [
        ("day", "2026-03-02T00:00:00", "2026-03-02T23:59:59", "2026-03-03T00:00:00"),
        ("week", "2026-03-02T00:00:00", "2026-03-08T23:59:59", "2026-03-09T00:00:00"),
        ("month", "2026-03-01T00:00:00", "2026-03-31T23:59:59", "2026-04-01T00:00:00"),
        ("month", "2026-02-01T00:00:00", "2026-02-28T23:59:59", "2026-03-01T00:00:00"),
        ("month", "2028-02-01T00:00:00", "2028-02-29T23:59:59", "2028-03-01T00:00:00"),
        ("month", "2026-12-01T00:00:00", "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        ("week", "2026-12-28T00:00:00", "2027-01-03T23:59:59", "2027-01-04T00:00:00"),
    ],
)
@pytest.mark.parametrize("starts_hour", [0, 4])
def test_a_window_is_whole_and_ends_at_its_end(
    window: str, first: str, last: str, next_one: str, starts_hour: int
) -> None:
    shift_ms = starts_hour * HOUR_MS
    journal = Journal(starts_hour=starts_hour, at=first)
    journal.passes(shift_ms)
    journal.fill(10)
    journal.until(last)
    journal.passes(shift_ms)
    journal.fill(1)
    assert journal.used(f"{window}_volume") == 11
    journal.until(next_one)
    journal.passes(shift_ms)
    assert journal.used(f"{window}_volume") == 0


@pytest.mark.parametrize(
    ("window", "first", "last"),
    [
        ("day", "2026-03-29T00:00:00", "2026-03-29T23:59:59"),  # 23 hours: 03:00 is followed by 04:00
        ("day", "2026-10-25T00:00:00", "2026-10-25T23:59:59"),  # 25 hours: 04:00 is followed by 03:00
        ("week", "2026-10-19T00:00:00", "2026-10-25T23:59:59"),
        ("month", "2026-10-01T00:00:00", "2026-10-31T23:59:59"),  # the longest of all
        ("month", "2026-03-01T00:00:00", "2026-03-31T23:59:59"),
    ],
)
@pytest.mark.parametrize("restart", [False, True])
def test_nothing_is_forgotten_in_a_window_in_which_the_clocks_change(
    window: str, first: str, last: str, restart: bool
) -> None:
    journal = Journal(KYIV, at=first)
    journal.fill(10)
    if restart:
        journal.restarts()
    journal.until(last)
    journal.tell(Contact(0))
    assert journal.used(f"{window}_volume") == 10
    journal.passes(1_000)
    assert journal.used(f"{window}_volume") == 0


@pytest.mark.parametrize("window", ["day", "week", "month"])
@pytest.mark.parametrize("back_ms", [HOUR_MS, DAY_MS, 40 * DAY_MS, 4_000 * DAY_MS])
@pytest.mark.parametrize("restart", [False, True])
def test_a_clock_that_is_set_back_gives_nothing_back(window: str, back_ms: int, restart: bool) -> None:
    journal = Journal()
    journal.fill(50)
    if restart:
        journal.restarts(wrong_by_ms=-back_ms)
    else:
        journal.clock_set(-back_ms)
    assert journal.used(f"{window}_volume") == 50, "while it is wrong"
    journal.fill(1)
    assert journal.used(f"{window}_volume") == 51
    journal.clock_set(back_ms)
    assert journal.used(f"{window}_volume") >= 50, "and when it is right again"


@pytest.mark.parametrize("window", Window)
@pytest.mark.parametrize("ahead_ms", [2 * DAY_MS, 40 * DAY_MS, 4_000 * DAY_MS])
@pytest.mark.parametrize("restart", [False, True])
def test_a_clock_that_jumped_ahead_and_came_back_locks_for_one_window(
    window: Window, ahead_ms: int, restart: bool
) -> None:
    if window is Window.FILL:
        return
    journal = Journal(at="2026-03-02T12:00:00")
    if restart:
        journal.tell(Contact(0))
        journal.restarts(wrong_by_ms=ahead_ms)
    else:
        journal.clock_set(ahead_ms)
    journal.fill(50)
    journal.passes(HOUR_MS)
    journal.clock_set(-ahead_ms)
    journal.tell(Contact(0))
    assert journal.used(f"{window}_volume") == 50, "it was used an hour ago"
    journal.passes(LENGTH_MS[window])
    assert journal.used(f"{window}_volume") == 0


def test_a_wrong_start_takes_nothing_from_what_was_used_before_it() -> None:
    journal = Journal()
    journal.fill(50)
    journal.restarts(wrong_by_ms=4_000 * DAY_MS)
    journal.fill(1)
    journal.clock_set(-4_000 * DAY_MS)
    journal.tell(Contact(0))
    assert journal.used("day_volume") == 51
    assert journal.used("month_volume") == 51


def test_a_synchronised_clock_is_believed_over_a_restart() -> None:
    journal = Journal()
    journal.fill(50)
    journal.restarts(off_ms=3 * DAY_MS)
    journal.quality = ClockQuality.SYNCHRONISED
    journal.tell(Contact(0))
    elapsed_ms = journal.books.usage.elapsed.ms
    journal.clock_set(-DAY_MS)
    journal.tell(Contact(0))
    assert journal.books.usage.elapsed.ms == elapsed_ms >= 3 * DAY_MS


moves = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.integers(1, 60)),
        st.tuples(st.just("passes"), st.integers(0, 40 * 24)),
        st.tuples(st.just("set"), st.integers(-400 * 24, 400 * 24)),
        st.tuples(st.just("restarts"), st.integers(-40 * 24, 400 * 24)),
    ),
    max_size=25,
)


def play(journal: Journal, story: list[tuple[str, int]]) -> list[tuple[int, int]]:
    """Litres and when they were taken, by the time that really passed."""
    real_ms, taken = 0, []
    for what, number in story:
        match what:
            case "fill":
                journal.fill(number)
                taken.append((real_ms, number))
            case "passes":
                journal.passes(number * HOUR_MS)
                real_ms += number * HOUR_MS
            case "set":
                journal.clock_set(number * HOUR_MS)
            case _:
                journal.restarts(wrong_by_ms=number * HOUR_MS)
                real_ms += 60_000
    return [(real_ms - at_ms, litres) for at_ms, litres in taken]


@given(moves, st.sampled_from(["day", "week", "month"]))
def test_nothing_counts_twice_and_a_running_clock_locks_nobody_for_longer(
    story: list[tuple[str, int]], window: str
) -> None:
    journal = Journal(at="2026-01-15T12:00:00")
    story = [(what, number) for what, number in story if what != "restarts"]
    ages = play(journal, story)
    counted = journal.used(f"{window}_volume")
    assert 0 <= counted <= sum(litres for _, litres in ages)
    # A day of the wall clock is one entry: what was taken earlier on it lives as long as what was taken last.
    last_ms = min((age_ms for age_ms, _ in ages), default=0)
    if last_ms >= LENGTH_MS[Window(window)]:
        assert counted == 0


@given(moves)
def test_the_same_rows_and_a_checkpoint_in_between_make_the_same_use(story: list[tuple[str, int]]) -> None:
    journal = Journal(at="2026-01-15T12:00:00")
    play(journal, story)
    business_day = journal.books.business_day
    for cut in {0, len(journal.bodies) // 2, len(journal.bodies)}:
        books = Books(business_day)
        for body in journal.bodies[:cut]:
            books.apply(body)
        books = decode_books(encode_books(books), business_day)
        for body in journal.bodies[cut:]:
            books.apply(body)
        assert books.usage == journal.books.usage


def test_use_that_counts_for_nobody_any_more_is_forgotten() -> None:
    journal = Journal()
    for number in range(100):
        journal.fill(1, token=msgspec.structs.replace(CARD, key=number.to_bytes(8, "big")))
    journal.passes(40 * DAY_MS)
    journal.fill(1)
    assert set(journal.books.usage.days) == {key_of(Level.CARD, CARD.key), key_of(Level.ACCOUNT, "ACME")}


def test_a_delivery_of_another_authorisation_is_not_of_its_vehicle() -> None:
    journal = Journal()
    old = journal.tell(msgspec.structs.replace(authorised(token=CARD), vehicle=b"first-vh"))
    journal.tell(Released(old, "hung up"))
    journal.tell(msgspec.structs.replace(authorised(token=CARD), vehicle=VEHICLE))
    journal.tell(delivery(10_000, allowed=old, token=CARD))
    assert journal.used("vehicle_day_volume", VEHICLE) == 0
    assert journal.used("day_volume") == 10


def test_windows_grow_with_their_days() -> None:
    first = datetime(2024, 1, 1).toordinal()
    for window in (Window.DAY, Window.WEEK, Window.MONTH):
        numbers = [window_of(window, first + day) for day in range(1_500)]
        assert numbers == sorted(numbers)
    mondays = {window_of(Window.WEEK, first + day): first + day for day in reversed(range(1_500))}
    assert all(datetime.fromordinal(day).weekday() == 0 for day in mondays.values())
    assert len({window_of(Window.MONTH, first + day) for day in range(366)}) == 12


def test_the_last_contact_is_as_old_as_the_time_that_passed() -> None:
    journal = Journal()
    journal.tell(Contact(0))
    journal.passes(5 * HOUR_MS)
    journal.clock_set(300 * DAY_MS)
    usage = journal.books.usage
    assert usage.elapsed.at(journal.mono_ms) - usage.contact_ms == 5 * HOUR_MS
    journal.tell(Contact(0))
    journal.restarts(off_ms=7 * HOUR_MS)
    journal.fill(1)
    assert usage.elapsed.ms - usage.contact_ms == 7 * HOUR_MS


def test_a_whole_year_of_days_is_as_long_as_it_is() -> None:
    journal = Journal(at="2026-01-01T00:00:00")
    months: list[int] = []
    for day in range(365):
        journal.until((datetime(2026, 1, 1, 12) + timedelta(days=day)).isoformat())
        journal.fill(1)
        months.append(journal.used("month_fills"))
    assert [number for number, after in zip(months, [*months[1:], 1], strict=True) if after == 1] == [
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31,
    ]  # fmt: skip
