"""Members, claims and rows to look at, as an operator reads them: text, amounts in the programme's currency. Pure."""

from collections.abc import Iterator

from controller.domain.quantities import decimal_text
from sync.hq.programmes.asks import ClaimsAnswer, MemberAnswer, OdditiesAnswer
from sync.hq.programmes.office_asks import OfficeAnswer, TogetherAnswer
from sync.hq.programmes.showing import VOLUME_DECIMALS, table


def claims_lines(answer: ClaimsAnswer) -> Iterator[str]:
    """Each claim, with the purchases that are its evidence."""
    if not answer.claims:
        yield "no claims"
    for claim in answer.claims:
        repair = decimal_text(claim.repair_minor, answer.decimals)
        yield f"{claim.ref}, {claim.plate}: damaged {claim.damaged_at}, repair {repair} {answer.currency}"
        yield f"  closed {claim.found_at} by {claim.by}: {claim.finding}" if claim.by else f"  open since {claim.at}"
        rows: list[tuple[str, ...]] = [("sale", "date and time", "card", "station", "quantity", "amount")]
        for each in claim.evidence:
            quantity = decimal_text(each.volume_ml, VOLUME_DECIMALS)
            amount = decimal_text(each.amount_minor, answer.decimals)
            rows.append((each.ref, each.at, each.card, each.station, quantity, amount))
        for line in table(rows, numbers=2):
            yield f"  {line}"


def oddities_lines(answer: OdditiesAnswer) -> Iterator[str]:
    """A line for each row."""
    if not answer.oddities:
        yield "no oddities"
        return
    rows: list[tuple[str, ...]] = [("station", "row", "seen", "what is the matter")]
    for each in answer.oddities:
        done = f" (posted again {each.again})" if each.again else ""
        rows.append((each.station, each.row, each.at, f"{each.what}{done}"))
    yield from table(rows, numbers=0)


def office_lines(answer: OfficeAnswer) -> Iterator[str]:
    """A line for each deed."""
    if not answer.deeds:
        yield "nothing was done"
        return
    rows: list[tuple[str, ...]] = [("date and time", "what", "of", "by", "why")]
    rows += [(each.at, each.what, each.of, each.by, each.why) for each in answer.deeds]
    yield from table(rows, numbers=0)


def together_lines(answer: TogetherAnswer) -> Iterator[str]:
    """Who, and a line for each token that several of them gave."""
    yield f"{', '.join(answer.holders) or 'nobody'} {'are' if len(answer.holders) > 1 else 'is'} one account"
    for each in answer.shared:
        whose = f"{each.whose}'s" if each.whose else "nobody's"
        yield f"  {each.token} of {', '.join(each.holders)}: a sale by it is {whose}"


def member_lines(answer: MemberAnswer) -> Iterator[str]:
    """What a person at the telephone needs."""
    who = f"{answer.holder} ({answer.kind})"
    yield ", ".join(filter(None, (who, answer.name, answer.phone, *answer.state)))
    for card in answer.cards:
        yield f"  card {card.card} {card.state}"
    for plate in answer.plates:
        yield f"  plate {plate}"
    for balance in answer.balances:
        yield f"  {balance.account:<48} {balance.amount:>20}"
    if answer.lots:
        yield ""
        rows: list[tuple[str, ...]] = [("purse", "voucher", "expires", "points")]
        rows += [(lot.purse, lot.voucher, lot.expires or "never", str(lot.points)) for lot in answer.lots]
        yield from table(rows, numbers=1)
    if answer.sales:
        yield ""
        rows = [("what", "date and time", "station", "product", "card", "quantity", "amount", "points, rebate")]
        for sale in answer.sales:
            quantity = decimal_text(sale.volume_ml, VOLUME_DECIMALS)
            amount = decimal_text(sale.amount_minor, answer.decimals)
            told = (sale.kind, sale.at, sale.station, sale.product, sale.card, quantity, amount, str(sale.points))
            rows.append(told)
        yield from table(rows, numbers=3)
