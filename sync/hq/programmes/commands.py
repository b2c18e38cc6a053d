"""The commands `forecourt hq programme ...`: the finance department's. Also while the server runs: then it is asked.

Each turns words into one question, and an error into a sentence and exit code 1. The real clock is put in here.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

import click
import msgspec

from controller.domain.pins import SALT_BYTES
from controller.machine import MachineRandomness
from controller.pincheck import make_verifier
from sync.hq.config import ConfigError, database_of, load_config
from sync.hq.hold import StoreBusy, StoreError
from sync.hq.programmes import pages, showing, showing_people
from sync.hq.programmes.asks import (
    ActAnswer,
    ActAsk,
    AllotAnswer,
    AllotAsk,
    Ask,
    BalancesAnswer,
    BalancesAsk,
    ClaimsAnswer,
    ClaimsAsk,
    EnterAnswer,
    EnterAsk,
    FindingAnswer,
    FindingAsk,
    IssueActAsk,
    IssueAsk,
    ListAnswer,
    ListAsk,
    MemberAnswer,
    MemberAsk,
    OdditiesAnswer,
    OdditiesAsk,
    PinAnswer,
    PinAsk,
    PostAnswer,
    PostAsk,
    StatementAnswer,
    StatementAsk,
    VatAnswer,
    VatAsk,
)
from sync.hq.programmes.office_asks import (
    AgainAnswer,
    AgainAsk,
    OfficeAnswer,
    OfficeAsk,
    SplitAnswer,
    SplitAsk,
    TogetherAnswer,
    TogetherAsk,
    UnlockAsk,
)
from sync.hq.programmes.opening import open_desk
from sync.hq.programmes.statements import DeskError
from sync.hq.running import ask_running
from sync.hq.store import Store

AGAIN_AT_ONCE = 50
"""Rows that are posted again in one commit: a second of work."""
_T = TypeVar("_T", bound=msgspec.Struct)
_config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), default=Path("hq.toml"), show_default=True
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, amounts in minor units.")
_programme = click.argument("programme")
_period_option = click.option("--period", required=True, help="Such as 2026-01, or 2026-01a for its first half.")


@click.group("programme")
def programme_group() -> None:
    """Fuel programmes at headquarters: events in, balances, statements and lists out."""


@programme_group.command("enter")
@_config_option
@_programme
@click.argument("file", metavar="FILE.jsonl", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def enter(config_path: Path, programme: str, file: Path) -> None:
    """Enter events: members, cards, contracts, payments, closings. The whole file or nothing; what is known is left."""
    try:
        lines = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"{file} cannot be read: {error}")
    answer = _ask(config_path, EnterAsk(programme, str(file), lines), EnterAnswer)
    for each in answer.answers:
        click.echo(bytes(each).decode())
    click.echo(f"{len(answer.answers)} events entered, {answer.known} were known", err=True)


@programme_group.command("balances")
@_config_option
@_json_option
@_programme
@click.argument("holder", default="")
def balances(config_path: Path, as_json: bool, programme: str, holder: str) -> None:
    """Show all balances of a programme, or those of one HOLDER: a member, an organisation, a customer, a contract."""
    answer = _ask(config_path, BalancesAsk(programme, holder), BalancesAnswer)
    _say(answer, showing.balances_lines(answer), as_json)


@programme_group.command("statement")
@_config_option
@_json_option
@_period_option
@click.option("--customer", required=True, help="Whose contract.")
@_programme
def statement(config_path: Path, as_json: bool, period: str, customer: str, programme: str) -> None:
    """Print a customer's rebate statement of a period, line by line, with the tax; one that was issued, as it was."""
    answer = _ask(config_path, StatementAsk(programme, customer, period), StatementAnswer)
    _say(answer, showing.statement_lines(answer), as_json)


@programme_group.command("issue")
@_config_option
@_json_option
@_period_option
@click.option("--customer", help="Whose rebate statement.")
@click.option("--contract", help="Whose act of price change.")
@click.option("--correction", is_flag=True, help="Issue what corrects an act that was issued before.")
@_programme
def issue(
    config_path: Path,
    as_json: bool,
    period: str,
    customer: str | None,
    contract: str | None,
    correction: bool,
    programme: str,
) -> None:
    """Issue a customer's rebate statement of a period that is over, or a contract's act of price change of a month
    that is closed, and print it. From then on it stays as it is."""
    if (customer is None) == (contract is None):
        _fail("name a --customer (a rebate statement) or a --contract (an act of price change)")
    if contract is not None:
        acts = _ask(config_path, IssueActAsk(programme, contract, period, correction), ActAnswer)
        _say(acts, showing.act_lines(acts), as_json)
        return
    if customer is None or correction:
        _fail("a rebate statement is corrected by the customer's next one: --correction is for an act")
    answer = _ask(config_path, IssueAsk(programme, customer, period), StatementAnswer)
    _say(answer, showing.statement_lines(answer), as_json)


@programme_group.command("act")
@_config_option
@_json_option
@_period_option
@click.option("--contract", required=True, help="Whose month.")
@_programme
def act(config_path: Path, as_json: bool, period: str, contract: str, programme: str) -> None:
    """Print the acts of price change of a closed month that were issued, as they were, and what is not issued yet; or
    the reason why there is none."""
    answer = _ask(config_path, ActAsk(programme, contract, period), ActAnswer)
    _say(answer, showing.act_lines(answer), as_json)


@programme_group.command("post")
@_config_option
@_programme
def post(config_path: Path, programme: str) -> None:
    """Post what stations sent, and what is due by now. A running server does it by itself."""
    answer = _ask(config_path, PostAsk(programme), PostAnswer)
    click.echo(f"{answer.events} events posted")


@programme_group.command("list")
@_config_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A new CSV file.")
@_programme
def list_command(config_path: Path, out: Path, programme: str) -> None:
    """Write what stations need of a programme, for `forecourt whitelist build` or `import`: one row for each token."""
    answer = _ask(config_path, ListAsk(programme), ListAnswer)
    try:
        out.write_text(showing.list_csv(answer), encoding="utf-8")
    except OSError as error:
        _fail(f"{out} cannot be written: {error.strerror}")
    click.echo(f"{out}: {len(answer.rows)} rows")


@programme_group.command("vat")
@_config_option
@_json_option
@_period_option
@_programme
def vat(config_path: Path, as_json: bool, period: str, programme: str) -> None:
    """Print the value added tax in a programme's sales of a period, by day, product and rate."""
    answer = _ask(config_path, VatAsk(programme, period), VatAnswer)
    _say(answer, showing.vat_lines(answer), as_json)


@programme_group.command("pin")
@_config_option
@click.option("--voucher", is_flag=True, help="NAME is a voucher: set its driver's PIN.")
@_programme
@click.argument("name")
def pin(config_path: Path, voucher: bool, programme: str, name: str) -> None:
    """Set the PIN of an organisation, or of a voucher's driver. It is not shown, and only a verifier is kept."""
    answer = _ask(config_path, PinAsk(programme, name, _typed_pin(), voucher), PinAnswer)
    click.echo(f"the PIN of {name} is set")
    if answer.locked:
        click.echo("it is locked by wrong PINs: see `forecourt hq programme unlock`", err=True)


@programme_group.command("unlock")
@_config_option
@click.option("--voucher", is_flag=True, help="NAME is a voucher: unlock its driver's PIN.")
@click.option("--new-pin", is_flag=True, help="Set a new PIN, too. It is asked for, and not shown.")
@click.option("--by", required=True, help="Who unlocks it.")
@click.option("--why", required=True, help="Why. Both are kept for ever: see `office`.")
@_programme
@click.argument("name")
def unlock(config_path: Path, voucher: bool, new_pin: bool, by: str, why: str, programme: str, name: str) -> None:
    """Unlock the PIN of an organisation, or of a voucher's driver, that wrong ones have locked."""
    verifier = _typed_pin() if new_pin else ""
    _ask(config_path, UnlockAsk(programme, name, by, why, voucher, verifier), PinAnswer)
    click.echo(f"the PIN of {name} is unlocked{', and is a new one' if new_pin else ''}")


@programme_group.command("office")
@_config_option
@_json_option
@_programme
def office(config_path: Path, as_json: bool, programme: str) -> None:
    """Show what persons of the office did that no event says: who, when and why."""
    answer = _ask(config_path, OfficeAsk(programme), OfficeAnswer)
    _say(answer, showing_people.office_lines(answer), as_json)


@programme_group.command("allot", context_settings={"ignore_unknown_options": True})
@_config_option
@click.option("--id", "name", required=True, help="The office's own name of it at that station: counts once.")
@_programme
@click.argument("voucher")
@click.argument("station")
@click.argument("points", type=int)
def allot(config_path: Path, name: str, programme: str, voucher: str, station: str, points: int) -> None:
    """Set POINTS of a VOUCHER apart at a STATION, to be spent there also while it hears nothing; below zero, back."""
    answer = _ask(config_path, AllotAsk(programme, voucher, station, name, points), AllotAnswer)
    _say(answer, showing.allot_lines(answer), False)


@programme_group.command("claims")
@_config_option
@_json_option
@click.option("--all", "every", is_flag=True, help="Also those that are closed.")
@_programme
def claims(config_path: Path, as_json: bool, every: bool, programme: str) -> None:
    """Show claims for repairs with their evidence."""
    answer = _ask(config_path, ClaimsAsk(programme, every), ClaimsAnswer)
    _say(answer, showing_people.claims_lines(answer), as_json)


@programme_group.command("finding")
@_config_option
@click.option("--by", required=True, help="Who found it: the independent body.")
@_programme
@click.argument("claim")
@click.argument("finding")
def finding(config_path: Path, by: str, programme: str, claim: str, finding: str) -> None:
    """Record what an independent body found of a CLAIM. That closes it, for ever."""
    _ask(config_path, FindingAsk(programme, claim, finding, by), FindingAnswer)
    click.echo(f"the claim {claim} is closed")


@programme_group.command("oddities")
@_config_option
@_json_option
@click.option("--all", "every", is_flag=True, help="Also those that were posted again since.")
@_programme
def oddities(config_path: Path, as_json: bool, every: bool, programme: str) -> None:
    """Show rows of stations that could not be posted as they are, and why."""
    answer = _ask(config_path, OdditiesAsk(programme, every), OdditiesAnswer)
    _say(answer, showing_people.oddities_lines(answer), as_json)


@programme_group.command("again")
@_config_option
@click.option("--all", "every", is_flag=True, help="All rows that can be posted now.")
@_programme
@click.argument("rows", metavar="[STATION/ROW]...", nargs=-1)
def again(config_path: Path, every: bool, programme: str, rows: tuple[str, ...]) -> None:
    """Post rows again that stand under `oddities`, when what was missing is in hq.toml. Each once, for ever."""
    if rows and every:
        _fail("name rows, or --all")
    asks = [AgainAsk(programme, rows)]
    if every:
        odd = _ask(config_path, OdditiesAsk(programme), OdditiesAnswer).oddities
        names = [f"{each.station}/{each.row}" for each in odd]
        # A running server answers stations in between.
        asks = [AgainAsk(programme, tuple(some), True) for some in _some_of(names)]
    posted = 0
    for ask in asks:
        for each in _ask(config_path, ask, AgainAnswer).posted:
            click.echo(f"{each.row}: posted as {', '.join(each.refs)}")
            posted += 1
    if not posted:
        click.echo("nothing was posted")


@programme_group.command("together")
@_config_option
@_json_option
@_programme
@click.argument("name")
def together(config_path: Path, as_json: bool, programme: str, name: str) -> None:
    """Show who is one account with NAME (a member's, or a card, a phone or a plate), and what they share."""
    answer = _ask(config_path, TogetherAsk(programme, name), TogetherAnswer)
    _say(answer, showing_people.together_lines(answer), as_json)


@programme_group.command("split")
@_config_option
@click.option("--to", required=True, help="The member whose it is.")
@click.option("--from", "since", required=True, help="The first day, such as 2026-01-31.")
@click.option("--by", required=True, help="Who splits it.")
@click.option("--why", required=True, help="Why. Both are kept for ever: see `office`.")
@_programme
@click.argument("phone")
def split(config_path: Path, to: str, since: str, by: str, why: str, programme: str, phone: str) -> None:
    """Let a PHONE that several members gave be one's from a day on. What was posted stays."""
    answer = _ask(config_path, SplitAsk(programme, phone, to, since, by, why), SplitAnswer)
    click.echo(f"{answer.phone} is {answer.holder}'s from {answer.since} on")


@programme_group.command("member")
@_config_option
@_json_option
@_programme
@click.argument("name")
def member(config_path: Path, as_json: bool, programme: str, name: str) -> None:
    """Show all of one member, found by NAME: the member's, or a card, a phone or a plate."""
    answer = _ask(config_path, MemberAsk(programme, name), MemberAnswer)
    _say(answer, showing_people.member_lines(answer), as_json)


def _ask(config_path: Path, ask: Ask, kind: type[_T]) -> _T:
    """The answer: of the database, or of the server that holds it."""
    data = msgspec.json.encode(ask)
    try:
        config = load_config(config_path)
        try:
            store = Store.open(database_of(config, config_path))
        except StoreBusy as busy:
            told = ask_running(busy, "POST", pages.PROGRAMMES_PATH, config.tokens.admin, data)
        else:
            try:
                told = pages.answer(open_desk(config, config_path, store.commit), data, _wall_ms())
            finally:
                store.close()
        return msgspec.json.decode(told, type=kind)
    except (ConfigError, DeskError, StoreError, msgspec.DecodeError) as error:
        _fail(str(error))


def _some_of(rows: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(rows), AGAIN_AT_ONCE):
        yield rows[start : start + AGAIN_AT_ONCE]


def _typed_pin() -> str:
    """What a new PIN is checked by."""
    typed = click.prompt("PIN", hide_input=True, confirmation_prompt=True)
    try:
        return make_verifier(typed, MachineRandomness().random_bytes(SALT_BYTES))
    except ValueError as error:
        _fail(str(error))


def _say(answer: msgspec.Struct, lines: Iterable[str], as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())
    else:
        for line in lines:
            click.echo(line)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)
