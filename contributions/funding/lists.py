"""A department's list as a page and as the official workbook: who, why, by which identity, how much, in which request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _

from contributions.funding.standing import (
    MISSED,
    NOT_PAYABLE,
    Asked,
    Office,
    Person,
    Standing,
    count_people,
    find_people,
    office_of_claim,
)
from contributions.models import FundingLine
from contributions.plans.words import agency, condition
from contributions.words import payer, reason
from enrollment.models import Insurance, MarkState, Membership, Resident
from foundation.encryption import get_keyring
from foundation.masking import Audience, mask_number
from subsidies.rules.claims import Claim
from subsidies.rules.plan import RuleRow
from townships.models import CollectingUnit, Township

ZERO: Final = Decimal("0.00")
# Rows read at once for a workbook.
STEP: Final = 2_000


@dataclass
class OfficeCount:
    """A department of a list with its counts."""

    office: Office
    standings: dict[str, int] = field(default_factory=dict)
    twice: int = 0
    amount: Decimal = ZERO

    @property
    def applies(self) -> tuple[str, str]:
        """Who asks for the money, and with whom, in words; empty where the plan does not say."""
        application = self.office.list.application if self.office.list is not None else None
        if application is None:
            return "", ""
        joined = "、".join(agency(each) for each in application.joined)
        return agency(application.by), _("会同%(office)s") % {"office": joined} if joined else ""

    @property
    def people(self) -> int:
        """Everybody the department answers for."""
        return sum(self.standings.values())

    def of(self, standings: Sequence[str]) -> int:
        """How many stand so."""
        return sum(self.standings.get(each, 0) for each in standings)

    @property
    def taken(self) -> int:
        """Paid for by this list."""
        return self.of((Standing.TAKEN,))

    @property
    def elsewhere(self) -> int:
        """Named here, paid for by another list."""
        return self.of((Standing.ELSEWHERE,))

    @property
    def missed(self) -> int:
        """In scope, and the government would not pay for them."""
        return self.of(MISSED)

    @property
    def not_payable(self) -> int:
        """Named, and rightly not paid for."""
        return self.of(NOT_PAYABLE)


def count_offices(asked: Asked) -> list[OfficeCount]:
    """Every department of the insurance's lists with its counts, also those that answer for nobody yet."""
    found = {office.index: OfficeCount(office) for office in asked.offices}
    for count in count_people(asked):
        row = found[count.office]
        row.standings[count.standing] = row.standings.get(count.standing, 0) + count.people
        row.twice += count.twice
        row.amount += count.amount
    named = {office_of_claim(asked.offices, claim).index for claim in asked.claims}
    return [row for row in found.values() if row.office.index in named or row.people]


@dataclass(frozen=True)
class Row:
    """A person of a list in words."""

    person: Person
    resident: Resident
    number: str
    township: str
    unit: str
    identity: str
    others: list[str]
    why: str
    certifier: str
    certified_on: date | None
    valid_to: date | None
    standard: Decimal | None
    request: str
    mark: str
    computed: bool
    """Known by the birth date alone."""

    @property
    def standing(self) -> Standing:
        """How the person stands, with its label."""
        return Standing(self.person.standing)


def claim_words(claim: Claim, rule: RuleRow | None) -> str:
    """An identity as the paper prints it; a rule by age as the ages it names."""
    if claim.group is not None:
        return claim.group.name
    if rule is not None and rule.condition:
        return condition(rule.condition)
    return rule.name if rule is not None and rule.name else claim.rule


def rows_of(asked: Asked, people: Sequence[Person], *, whole_numbers: bool) -> list[Row]:
    """People in words, in a fixed number of queries."""
    ids = [person.resident for person in people]
    residents = {r.pk: r for r in Resident.objects.filter(pk__in=ids).select_related("household")}
    townships = dict(Township.objects.filter(pk__in={p.township for p in people}).values_list("pk", "name"))
    units = dict(CollectingUnit.objects.filter(pk__in={p.unit for p in people}).values_list("pk", "name"))
    memberships: dict[int, list[Membership]] = defaultdict(list)
    for row in (
        Membership.objects.filter(resident__in=ids)
        .select_related("category", "certified_by")
        .order_by("-valid_from", "-pk")
    ):
        memberships[row.resident_id].append(row)
    requests = {
        line.registration_id: line.request.number
        for line in FundingLine.objects.filter(
            registration__in=[p.registration for p in people if p.registration], live=True
        ).select_related("request__plan")
    }
    keys = get_keyring()
    found = []
    for person in people:
        resident = residents[person.resident]
        number = keys.decrypt(resident.number_encrypted) if resident.number_encrypted else ""
        found.append(
            _row(
                asked,
                person,
                resident,
                number if whole_numbers else mask_number(number, Audience.OFFICE),
                (townships.get(person.township, ""), units.get(person.unit, "")),
                memberships[person.resident],
                requests.get(person.registration or 0, ""),
            )
        )
    return found


def _row(
    asked: Asked,
    person: Person,
    resident: Resident,
    number: str,
    place: tuple[str, str],
    memberships: Sequence[Membership],
    request: str,
) -> Row:
    own, book = asked.claims, asked.book
    office = asked.offices[person.office - 1]
    held = [own[each - 1] for each in person.claims]
    here = [c for c in held if c.supplier is office.supplier and c.list is office.list]
    taken = own[person.taken - 1] if person.taken else None
    shown = taken if taken is not None and taken in here else next(iter(here), taken)
    member = _membership(memberships, shown, asked.on)
    names = [claim_words(claim, book.rule(claim.rule)) for claim in held]
    identity = claim_words(shown, book.rule(shown.rule)) if shown is not None else _ended(memberships)
    return Row(
        person=person,
        resident=resident,
        number=number,
        township=place[0],
        unit=place[1],
        identity=identity,
        others=[name for name in dict.fromkeys(names) if name != identity],
        why=_why(asked, person, taken, resident, member),
        certifier=_certifier(shown, member),
        certified_on=member.certified_on or member.valid_from if member is not None else None,
        valid_to=member.valid_to if member is not None else None,
        standard=None if person.personal is None else person.personal + (person.government or ZERO),
        request=request if person.standing == Standing.TAKEN else "",
        mark=_mark(shown, member) if person.standing == Standing.TAKEN else "",
        computed=shown is not None and shown.computed,
    )


def _membership(memberships: Sequence[Membership], claim: Claim | None, on: date) -> Membership | None:
    """The membership a claim rests on: the one that holds on the day, else the newest."""
    if claim is None or claim.group is None:
        return None
    own = [each for each in memberships if each.category.code in claim.group.categories]
    live = [m for m in own if m.valid_from <= on and (m.valid_to is None or m.valid_to >= on)]
    return next(iter(live or own), None)


def _ended(memberships: Sequence[Membership]) -> str:
    return "、".join(dict.fromkeys(m.category.name for m in memberships if m.valid_to is not None)) or "—"


def _certifier(claim: Claim | None, member: Membership | None) -> str:
    if member is not None and member.certified_by is not None:
        return member.certified_by.name
    if claim is None or claim.supplier is None:
        return ""
    return claim.supplier.name


def _mark(claim: Claim | None, member: Membership | None) -> str:
    if member is not None:
        return str(MarkState(member.mark).label)
    return _("不用标识") if claim is not None and claim.computed else ""


def _why(
    asked: Asked, person: Person, taken: Claim | None, resident: Resident, member: Membership | None
) -> str:
    """Why the person stands so, and what to do: one sentence."""
    match person.standing:
        case Standing.DEAD:
            return _("%(day)s 去世，不再代缴") % {"day": resident.death_date}
        case Standing.LAPSED:
            ended = member.valid_to if member is not None else None
            if ended is None:
                return _("这个身份已经到期，仍符合的请部门重新报送")
            return _("%(day)s 到期，仍符合的请部门重新报送") % {"day": ended}
        case Standing.REFUSED | Standing.REFERRED:
            return reason(person.reason) or str(Standing(person.standing).label)
        case Standing.NOT_REGISTERED:
            return _("符合代缴，但没有本年度参保登记，请镇街核实后登记")
        case Standing.NOT_ASSESSED:
            return _("还没有核定，核定以后才知道由谁缴")
        case Standing.CHARGED_BEFORE:
            return _("名单到之前已按 %(amount)s 元收，见标识同步里的多收") % {"amount": person.personal}
        case Standing.UNCERTIFIED:
            return _("没有部门在名单上认定，请认定部门补报")
        case Standing.UNCHARGED:
            return _("现在没有要代缴的应缴")
    if len(person.claims) < 2 or taken is None:
        return ""
    return _multiple(asked, person, taken)


def _multiple(asked: Asked, person: Person, taken: Claim) -> str:
    """Several identities: which one was taken and why (E050, E051)."""
    book = asked.book
    rules = list(dict.fromkeys(asked.claims[each - 1].rule for each in person.claims))
    name = claim_words(taken, book.rule(taken.rule))
    where = taken.list.name if taken.list is not None else ""
    if len(rules) == 1:
        return _("只代缴一次，按“%(name)s”在%(list)s") % {"name": name, "list": where}
    amount = person.government or ZERO
    return _("只取一项：按“%(name)s”，代缴 %(amount)s 元，本人缴 %(own)s 元，在各项里本人缴得最少；一样多的按方案顺序") % {
        "name": name, "amount": amount, "own": person.personal if person.personal is not None else "—",
    }  # fmt: skip


def all_rows(
    asked: Asked, *, office: int | None, standings: Sequence[str], twice: bool, whole_numbers: bool
) -> Iterator[Row]:
    """Every row of a list, read in steps so that no county stands in memory at once."""
    people = find_people(asked, office=office, standings=standings, twice=twice)
    for start in range(0, len(people), STEP):
        yield from rows_of(asked, people[start : start + STEP], whole_numbers=whole_numbers)


def cells_of(row: Row, insurance: str) -> dict[str, Any]:
    """A row for the workbook, by the keys of ``sheets.NAME_LIST``."""
    return {
        "number": row.number,
        "name": row.resident.name,
        "identity": row.identity,
        "certifier": row.certifier,
        "certified_on": row.certified_on,
        "valid_to": row.valid_to,
        "insurance": str(Insurance(insurance).label),
        "standard": row.standard,
        "township": row.township,
        "unit": row.unit,
        "government": row.person.government if row.person.standing == Standing.TAKEN else None,
        "personal": row.person.personal,
        "request": row.request,
        "standing": str(row.standing.label),
        "why": row.why,
    }


def payer_words(codes: Sequence[str], printed: dict[str, Any]) -> str:
    """Payers as the plan prints them."""
    return "、".join(payer(code, printed) for code in codes)
