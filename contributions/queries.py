"""Reads across models: the facts of real people, and what was paid."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Case, IntegerField, OuterRef, Q, Subquery, Sum, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from contributions.models import (
    OWN_PARTS,
    CaseKind,
    Charge,
    Payment,
    PaymentCase,
    PaymentLine,
    Pledge,
    TaxEntry,
)
from enrollment.models import Household, Registration, Resident, Window
from enrollment.queries import search_condition
from foundation.encryption import get_keyring
from foundation.http import Problem
from foundation.masking import Audience, mask_number
from subsidies.rules.plan import Plan
from townships.models import CollectingUnit, User

# The columns are those of subsidies.rules.facts.FACT_COLUMNS, one row per resident; the evaluator reads nothing else.
_FACTS = """
SELECT {subject} AS subject, r.birth_date, nullif(r.sex, '') AS sex, r.registration_area AS household_registration,
  r.residence_permit, r.in_school, nullif(r.school, '') AS school, r.employee_pension, r.employee_medical,
  m.categories, m.disability_grade,
  fr.kind AS family_kind, fr.lawful_birth AS family_lawful_birth, fr.wife_birth_date AS family_wife_birth_date,
  {household},
  g.missed_years::int AS missed_years, g.repaired_years::int AS repaired_years, g.is_new AS first_enrolment,
  r.death_date, nullif(r.other_enrolment, '') AS other_enrolment,
  {tier} AS tier, {day}::date AS payment_date, {route}::text AS route, m.certified, g.registered_on
FROM enrollment_resident r
LEFT JOIN enrollment_registration g
  ON g.resident_id = r.id AND g.insurance = %(insurance)s AND g.coverage_year = %(year)s
{paid}
LEFT JOIN (
  SELECT s.resident_id, array_agg(c.code ORDER BY c.code)::text[] AS categories, max(s.grade)::int AS any_grade,
    min(s.grade)::int AS disability_grade,
    jsonb_object_agg(c.code, coalesce(s.certified_on, s.valid_from)) AS certified
  FROM enrollment_membership s JOIN enrollment_category c ON c.id = s.category_id {paid_members}
  WHERE s.valid_from <= {entitled} AND (s.valid_to IS NULL OR s.valid_to >= {entitled}) {members}
  GROUP BY s.resident_id
) m ON m.resident_id = r.id
{family}
{members_of_household}
WHERE r.merged_into_id IS NULL {where}
"""
# Who of a household lives, has joined medical insurance, and is insured by an employer instead.
_HOUSEHOLD = """SELECT h.household_id, count(*)::int AS members, count(j.id)::int AS enrolled,
    (count(*) FILTER (WHERE h.employee_medical AND j.id IS NULL))::int AS employed
  FROM enrollment_resident h LEFT JOIN enrollment_registration j
    ON j.resident_id = h.id AND j.insurance = 'medical' AND j.coverage_year = %(year)s
  WHERE h.merged_into_id IS NULL AND h.left_on IS NULL AND h.household_id IS NOT NULL
    AND (h.death_date IS NULL OR h.death_date > %(on)s::date) {one}
  GROUP BY h.household_id"""
_HOUSEHOLD_OF_FEW = f"""LEFT JOIN LATERAL (
  {_HOUSEHOLD.replace("{one}", "AND h.household_id = r.household_id")}
) hh ON true"""
_HOUSEHOLD_OF_ALL = f"LEFT JOIN ({_HOUSEHOLD.replace('{one}', '')}) hh ON hh.household_id = r.household_id"
_HOUSEHOLD_COLUMNS = ("household_members", "household_enrolled", "household_employee_medical")
# The first family record of each: found by index for a few people, read once for a county.
_FAMILY_OF_FEW = """LEFT JOIN LATERAL (
  SELECT kind, lawful_birth, wife_birth_date FROM enrollment_familyrecord f WHERE f.resident_id = r.id
  ORDER BY f.id LIMIT 1
) fr ON true"""
_FAMILY_OF_ALL = """LEFT JOIN (
  SELECT DISTINCT ON (f.resident_id) f.resident_id, f.kind, f.lawful_birth, f.wife_birth_date
  FROM enrollment_familyrecord f ORDER BY f.resident_id, f.id
) fr ON fr.resident_id = r.id"""


def facts_sql(
    *,
    where: str = "",
    members: str = "",
    own_tier: bool = True,
    subject: str = "r.id",
    whole: bool = False,
    entitled: str = "%(on)s",
    paid: str = "",
    households: bool = False,
) -> str:
    """SQL of the facts of real people; parameters ``on``, ``route``, ``insurance``, ``year`` (and ``tier``).

    ``where`` narrows residents (alias r), ``members`` their memberships (alias s). ``own_tier`` reads the tier of the
    registration, else the parameter ``tier`` (a quote for another tier). ``subject`` is the key the answers go by;
    ``whole`` is for townships and counties, where everything is read once. ``entitled`` is the day on which special
    groups count. ``paid`` is a table of payments (resident_id, tier, paid_on, entitled_on, route): facts are then those
    of the people in it, each at his own payment and tier. ``households`` counts the members of each household, which
    only a plan that enrols whole households asks for (``needs_households``).
    """
    values = {"day": "%(on)s", "route": "%(route)s", "entitled": entitled, "paid": "", "paid_members": ""}
    tier = "g.tier" if own_tier else "%(tier)s::numeric"
    if paid:
        tier = "d.tier"
        values |= {
            "day": "d.paid_on",
            "route": "d.route",
            "paid": f"JOIN {paid} d ON d.resident_id = r.id",
            "paid_members": f"JOIN {paid} d ON d.resident_id = s.resident_id",
        }
    family = _FAMILY_OF_ALL if whole else _FAMILY_OF_FEW
    counted = zip(_HOUSEHOLD_COLUMNS, ("members", "enrolled", "employed"), strict=True)
    household = ", ".join(f"hh.{name} AS {column}" for column, name in counted)
    unknown = ", ".join(f"NULL::int AS {column}" for column in _HOUSEHOLD_COLUMNS)
    values |= {
        "household": household if households else unknown,
        "members_of_household": (_HOUSEHOLD_OF_ALL if whole else _HOUSEHOLD_OF_FEW) if households else "",
    }
    return _FACTS.format(tier=tier, where=where, members=members, subject=subject, family=family, **values)


def needs_households(book: Plan, insurance: str) -> bool:
    """Whether the plan enrols whole households for this insurance and says so to whoever is not wholly there."""
    medical = book.medical if insurance == "medical" else None
    return (
        bool(medical and medical.household_code) and book.settings.choice("medical.household_mode") == "warn"
    )


def facts_parameters(
    *, insurance: str, year: int, on: date, route: str = "village", entitled: date | None = None
) -> dict[str, Any]:
    """Parameters of ``facts_sql``; special groups count on ``entitled`` where it is told to read it."""
    return {"insurance": insurance, "year": year, "on": on, "route": route, "entitled": entitled or on}


PAGE = 100
# Who has no household walks last; a null would have no place in an order that pages are cut from.
_LAST_WALK = 2**31 - 1
_ORDER = ("walk", "household_key", "is_not_head", "pk")
# Four numbers written as JSON in base 64 are shorter than this.
_LONGEST_CURSOR = 160


def unit_residents(user: User, unit: CollectingUnit, *, search: str = "", cursor: str = "") -> dict[str, Any]:
    """A page of a unit's residents in walking order, head first, with what each owes and has paid.

    Those who registered here and live elsewhere now walk last.

    A fixed number of queries whatever the size of the unit. ``cursor`` is the ``next`` of the page before. Body as
    CONTRACT's ``GET /villages/{code}/residents``. Raises Problem 400 for a cursor that is none.
    """
    county_code = unit.township.county.code
    people = (
        Resident.objects.visible_to(user)
        .filter(Q(unit=unit) | Q(also_units__contains=[unit.pk]), merged_into=None, left_on=None)
        .annotate(
            walk=Coalesce("household__walk", _LAST_WALK),
            household_key=Coalesce("household_id", 0),
            is_not_head=Case(When(is_head=True, then=0), default=1, output_field=IntegerField()),
        )
        .select_related("household")
    )
    if search.strip():
        people = people.filter(search_condition(search, county_code))
    after = _after(cursor)
    if after is not None:
        people = people.filter(after)
    page = list(people.order_by(*_ORDER)[: PAGE + 1])
    following = _cursor(page[PAGE - 1]) if len(page) > PAGE else None
    page = page[:PAGE]
    charges = _charges_of(page)
    homes = _homes_left(user, unit, page)
    keys = get_keyring()
    return {
        "next": following,
        "results": [
            {
                "resident": r.pk,
                "name": r.name,
                "number_masked": mask_number(keys.decrypt(r.number_encrypted), Audience.TABLET)
                if r.number_encrypted
                else "",
                "household": home.pk if home else r.household_id,
                "house_number": home.house_number if home else "",
                "head": home.head_name if home else "",
                "charges": charges.get(r.pk, []),
            }
            for r in page
            for home in [homes.get(r.pk, r.household)]
        ],
    }


def _homes_left(user: User, unit: CollectingUnit, page: Sequence[Any]) -> dict[int, Household]:
    """The houses in the unit from which people registered who live elsewhere now; no query where there are none."""
    away = [r.pk for r in page if r.unit_id != unit.pk]
    if not away:
        return {}
    registered = (
        Registration.objects.visible_to(user)
        .filter(resident__in=away, unit=unit, household__isnull=False)
        .select_related("household")
    )
    return {g.resident_id: g.household for g in registered.order_by("coverage_year")}


def _after(cursor: str) -> Q | None:
    if not cursor:
        return None
    try:
        values = (
            json.loads(base64.urlsafe_b64decode(cursor.encode())) if len(cursor) <= _LONGEST_CURSOR else None
        )
    except ValueError:
        values = None
    if (
        not isinstance(values, list)
        or len(values) != len(_ORDER)
        or not all(type(v) is int and 0 <= v < 2**63 for v in values)
    ):
        raise Problem(400, "bad_cursor", _("翻页位置读不了，请从第一页重新取。"))
    condition = Q()
    for i, value in enumerate(values):
        same = Q(**dict(zip(_ORDER[:i], values[:i], strict=True)))
        condition |= same & Q(**{f"{_ORDER[i]}__gt": value})
    return condition


def _cursor(last: Any) -> str:
    values = [last.walk, last.household_key, last.is_not_head, last.pk]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


def _charges_of(people: Sequence[Any]) -> dict[int, list[dict[str, Any]]]:
    ids = [r.pk for r in people]
    charges = Charge.objects.filter(resident_id__in=ids, current=True).order_by("resident_id", "insurance")
    registrations = [c.registration_id for c in charges]
    paid = paid_by_registration(registrations)
    sponsored = sponsored_by_registration(registration_id__in=registrations)
    windows = list(Window.objects.filter(plan_id__in={c.plan_id for c in charges}).order_by("opens_on"))
    found: dict[int, list[dict[str, Any]]] = {}
    for charge in charges:
        opens, closes = _price_days(windows, charge)
        helped = sponsored.get(charge.registration_id, NOT_SPONSORED)
        due = own_due(charge.personal_amount, helped)
        by_himself = paid.get(charge.registration_id, Decimal("0.00")) - helped.paid
        found.setdefault(charge.resident_id, []).append(
            {
                "registration": charge.registration_id,
                "charge": charge.pk,
                "version": charge.version,
                "insurance": charge.insurance,
                "decision": charge.decision,
                "why": short_reason(charge),
                "due": f"{due:.2f}",
                "paid": f"{by_himself:.2f}",
                "quotes": [
                    {
                        "tier": f"{charge.tier:.2f}" if charge.tier is not None else None,
                        "route": "village",
                        "from": opens,
                        "to": closes,
                        "personal_amount": f"{due:.2f}",
                    }
                ],
            }
        )
    return found


def _price_days(windows: Sequence[Window], charge: Charge) -> tuple[date | None, date | None]:
    """First and last day of the payment period in which the charge was priced: so long its price stands."""
    for window in windows:
        if (window.plan_id, window.insurance) != (charge.plan_id, charge.insurance):
            continue
        if window.opens_on <= charge.priced_on and (
            window.closes_on is None or charge.priced_on <= window.closes_on
        ):
            return window.opens_on, window.closes_on
    return None, None


def paid_by_registration(ids: Sequence[int]) -> dict[int, Decimal]:
    """Yuan paid of residents' own parts, by themselves and by sponsors, net of reversals; absent means nothing.

    The government's money pays another part and never counts here.
    """
    rows = (
        PaymentLine.objects.filter(registration_id__in=ids, part__in=OWN_PARTS)
        .values("registration_id")
        .annotate(n=Sum("amount"))
    )
    return {row["registration_id"]: row["n"] for row in rows}


@dataclass(frozen=True)
class Sponsored:
    """What sponsors have promised of a registration's own part, and what of it they have paid. Yuan."""

    pledged: Decimal = Decimal("0.00")
    paid: Decimal = Decimal("0.00")

    @property
    def outstanding(self) -> Decimal:
        """Promised and not paid yet: so much less the resident is asked for."""
        return max(self.pledged - self.paid, Decimal("0.00"))


NOT_SPONSORED = Sponsored()


def sponsored_by_registration(**where: Any) -> dict[int, Sponsored]:
    """Sponsors' part by registration; ``where`` narrows pledges. One query. Absent means nobody promised anything.

    A pledge that was taken back counts with what was paid on it.
    """
    paid = PaymentLine.objects.filter(pledge=OuterRef("pk")).values("pledge").annotate(n=Sum("amount"))
    rows = (
        Pledge.objects.filter(**where)
        .annotate(paid=Coalesce(Subquery(paid.values("n")), Decimal("0.00")))
        .values_list("registration_id", "amount", "withdrawn_at", "paid")
    )
    found: dict[int, Sponsored] = {}
    for registration, amount, withdrawn_at, was_paid in rows:
        before = found.get(registration, NOT_SPONSORED)
        pledged = was_paid if withdrawn_at else amount
        found[registration] = Sponsored(before.pledged + pledged, before.paid + was_paid)
    return found


def own_due(personal: Decimal, sponsored: Sponsored) -> Decimal:
    """What of a personal part the resident pays himself: all that no sponsor has promised."""
    return max(personal - sponsored.pledged, Decimal("0.00"))


@dataclass(frozen=True)
class StoredPayment:
    """A payment with its lines (resident, tax entry and charge at hand), its cases, and how it stands.

    ``state``: ``recorded`` → ``confirmed`` once the tax side has answered for every line that holds money;
    ``contradicted`` while it says something else; ``reversed`` when it was taken back, ``reversal`` for that row.
    """

    payment: Payment
    lines: list[PaymentLine]
    cases: list[PaymentCase]
    reversed_by: int | None

    @property
    def state(self) -> str:
        if self.payment.reverses_id is not None:
            return "reversal"
        if self.reversed_by is not None:
            return "reversed"
        if any(c.kind == CaseKind.CONTRADICTED and c.state == "open" for c in self.cases):
            return "contradicted"
        money = [line for line in self.lines if line.amount]
        return "confirmed" if money and all(tax_entry(line) is not None for line in money) else "recorded"

    def as_json(self) -> dict[str, Any]:
        """Body of ``GET /payments/{id}``: the answer of the first call brought up to date, and who paid how."""
        payment = self.payment
        return {
            "payment": payment.pk,
            "state": self.state,
            "slip_number": payment.slip_number,
            "received": f"{payment.received:.2f}",
            "excess": f"{payment.excess:.2f}",
            "lines": [_line_as_json(line) for line in self.lines],
            "cases": [
                {"case": c.pk, "kind": c.kind, "amount": f"{c.amount:.2f}", "message": c.get_kind_display()}
                for c in self.cases
            ],
            "payer_name": payment.payer_name,
            "paid_for_others": payment.paid_for_others,
            "route": payment.route,
            "means": payment.means,
            "handed_over_at": timezone.localtime(payment.handed_over_at).isoformat(),
            "paid_on": payment.paid_on,
            "reverses": payment.reverses_id,
            "reversed_by": self.reversed_by,
        }


def _line_as_json(line: PaymentLine) -> dict[str, Any]:
    entry = tax_entry(line)
    return {
        "registration": line.registration_id,
        "charge": line.charge_id,
        "version": line.charge_version,
        "insurance": line.insurance,
        "amount": f"{line.amount:.2f}",
        "resident": line.registration.resident_id,
        "name": line.registration.resident.name,
        "confirmed_on": entry.invoiced_on if entry else None,
        "settled_on": entry.settled_on if entry else None,
    }


def tax_entry(line: PaymentLine) -> TaxEntry | None:
    """What the tax side says of a line; None while it says nothing."""
    return getattr(line, "tax_entry", None)


def stored_payment(user: User, pk: int) -> StoredPayment | None:
    """A payment of the user's places as it stands now, in a fixed number of queries; None for any other."""
    payment = (
        Payment.objects.visible_to(user)
        .select_related("plan", "township__county", "unit", "recorded_by")
        .filter(pk=pk)
        .first()
    )
    if payment is None:
        return None
    lines = payment.lines.select_related("registration__resident__household", "charge", "tax_entry")
    return StoredPayment(
        payment=payment,
        lines=list(lines.order_by("pk")),
        cases=list(payment.cases.order_by("pk")),
        reversed_by=Payment.objects.filter(reverses=payment).values_list("pk", flat=True).first(),
    )


def short_reason(charge: Charge) -> str:
    """One line for the agent why it is this amount: age and who pays, never the name of a category."""
    if charge.personal_amount == 0 and charge.government_paid_amount:
        return _("政府代缴 %(amount)s 元") % {"amount": f"{charge.government_paid_amount:.0f}"}
    if charge.government_paid_amount:
        return _("%(age)s 岁，政府承担 %(amount)s 元") % {
            "age": charge.age, "amount": f"{charge.government_paid_amount:.0f}",
        }  # fmt: skip
    if charge.tier is not None:
        return _("%(tier)s 元档") % {"tier": f"{charge.tier:.0f}"}
    return _("按标准缴费")
