"""Every yuan of a resident's charges with its clause, and in sentences why it is so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from contributions.models import Charge
from contributions.plans.because import Said, because, other_groups
from contributions.queries import sponsored_by_registration
from contributions.services.quotes import Answered, evaluate_people, unreadable_plan
from enrollment.models import CollectionPlan, Registration, Resident
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.http import Problem
from subsidies.queries import explain_decision, explain_parts, rule_book, rule_book_of
from subsidies.rules.plan import PERSONAL, Plan
from subsidies.rules.source import PlanError
from townships.models import User

ZERO = Decimal("0.00")
ROUTE = "village"


@dataclass(frozen=True)
class ExplainedPart:
    """A part of an amount: who pays it, by which rule, in the paper's own words."""

    payer: str
    amount: Decimal
    rule: str
    clause: str
    lines: str


@dataclass(frozen=True)
class Explanation:
    """Why a resident owes what he owes for one insurance.

    ``why`` says it in sentences with their clauses; ``groups`` names the special groups that changed nothing, which
    only an office reads.
    """

    insurance: str
    decision: str
    reason: str
    timing: str
    benefit_start: date | None
    benefit_end: date | None
    rule: str
    clause: str
    lines: str
    parts: list[ExplainedPart]
    warnings: list[str]
    total: Decimal | None
    why: list[Said]
    groups: list[Said]

    def as_json(self) -> dict[str, Any]:
        """As the command and the API give it."""
        return {
            "insurance": self.insurance,
            "decision": self.decision,
            "reason": self.reason or None,
            "timing": self.timing or None,
            "rule": self.rule,
            "clause": self.clause,
            "lines": self.lines,
            "benefit_start": self.benefit_start,
            "benefit_end": self.benefit_end,
            "shares": [
                {
                    "payer": p.payer,
                    "amount": f"{p.amount:.2f}",
                    "rule": p.rule,
                    "clause": p.clause,
                    "lines": p.lines,
                }
                for p in self.parts
            ],
            "warnings": self.warnings,
            "why": [said.as_json() for said in self.why],
        }


def explain(*, plan: CollectionPlan, resident: Resident, on: date | None = None) -> list[Explanation]:
    """Every part of what stands, by the rules it was priced by; without a charge, or for a day, the evaluator's answer.

    A charge tells its own amounts: it may have been kept as it was paid, or priced by an earlier version of the plan.
    The caller's scope decides whether the resident is seen at all.
    """
    return explain_people(plan=plan, residents=[resident.pk], on=on).get(resident.pk, [])


def explain_people(
    *, plan: CollectionPlan, residents: Sequence[int], on: date | None = None, shut_out: bool = False
) -> dict[int, list[Explanation]]:
    """``explain`` for the members of a household: a fixed number of questions, whatever their number.

    With ``shut_out`` also why somebody may not join pension, or not without an office. Raises subsidies' PlanError for
    a draft whose rules cannot be read.
    """
    year = plan.coverage_year
    registrations = Registration.objects.filter(resident__in=residents, coverage_year=year)
    registered = {
        pk: (resident, insurance)
        for pk, resident, insurance in registrations.values_list("pk", "resident_id", "insurance")
    }
    pledged = {
        registered[pk]: each.pledged
        for pk, each in sponsored_by_registration(registration_id__in=list(registered)).items()
    }
    standing = Charge.objects.filter(resident__in=residents, plan=plan, current=True).prefetch_related(
        "shares"
    )
    charges = {(each.resident_id, each.insurance): each for each in standing}
    today = on or business_date(plan.county.code)
    found: dict[int, list[Explanation]] = {}
    for insurance in plan.insurances:
        owed = {pk: charges.get((pk, insurance)) if on is None else None for pk in residents}
        days = {pk: charge.priced_on if charge is not None else today for pk, charge in owed.items()}
        answers = evaluate_people(plan=plan, insurance=insurance, residents=residents, on=days, route=ROUTE)
        for pk, answered in answers.items():
            charge, key = owed[pk], (pk, insurance)
            shut = shut_out and answered.answer["decision"] in ("refuse", "refer")
            if insurance == "pension" and key not in registered.values() and not shut:
                continue  # nobody is asked to join pension
            book = rule_book(plan)
            if charge is not None:
                book = rule_book_of(plan, charge.plan_version)
                answered = replace(answered, answer=_answer_of(charge, answered.answer["warnings"]))
            found.setdefault(pk, []).append(_explanation(insurance, book, answered, pledged.get(key, ZERO)))
    return found


def _answer_of(charge: Charge, warnings: Sequence[str]) -> dict[str, Any]:
    """A charge as the evaluator answered: what the table keeps as 0.00 or an empty word is nothing again.

    ``warnings`` of today are told with it: a household may have become whole since.
    """
    shares = sorted(charge.shares.all(), key=lambda share: share.pk)
    medical = charge.insurance == "medical"
    codes = ("standard_code", "waiver_code", "subsidy_code", "family_code", "decision_code")
    return {
        "decision": charge.decision,
        "reason": charge.reason or None,
        "timing": charge.timing,
        "personal_amount": charge.personal_amount,
        "fiscal_subsidy_amount": charge.fiscal_subsidy_amount if medical else None,
        "pension_government_subsidy": None if medical else charge.pension_government_subsidy,
        "family_planning_subsidy": charge.family_planning_subsidy or None,
        "total_amount": charge.total_amount,
        "benefit_start": charge.benefit_start,
        "benefit_end": charge.benefit_end,
        "warnings": list(warnings),
        **{code: getattr(charge, code) or None for code in codes},
        **{
            f"{name}_{place}": getattr(shares[place - 1], field) if len(shares) >= place else None
            for place in (1, 2)
            for name, field in (("payer", "payer"), ("amount", "amount"))
        },
    }


def _explanation(insurance: str, book: Plan, answered: Answered, pledged: Decimal) -> Explanation:
    answer, facts = answered.answer, answered.facts
    parts = [ExplainedPart(**part) for part in explain_parts(book, answer)]
    decision = explain_decision(book, answer)
    return Explanation(
        insurance=insurance,
        decision=decision["decision"],
        reason=decision["reason"] or "",
        timing=decision["timing"] or "",
        benefit_start=decision["benefit_start"],
        benefit_end=decision["benefit_end"],
        rule=decision["rule"],
        clause=decision["clause"],
        lines=decision["lines"],
        parts=_with_sponsor(book, parts, pledged),
        warnings=list(answer["warnings"] or []),
        total=answer["total_amount"],
        why=because(book, insurance, answer, facts),
        groups=other_groups(book, insurance, answer, facts),
    )


def _with_sponsor(book: Plan, parts: list[ExplainedPart], pledged: Decimal) -> list[ExplainedPart]:
    """A sponsor is a payer of its own beside the resident, who owes so much less; never a waiver (X22)."""
    own = next((part for part in parts if part.payer == PERSONAL), None)
    amount = min(pledged, own.amount) if own is not None else ZERO
    if own is None or not amount:
        return parts
    rule = next(iter(book.of_kind("sponsors")), None)
    named = ExplainedPart(
        payer="sponsor",
        amount=amount,
        rule=rule.code if rule is not None else "",
        clause=rule.clause.text if rule is not None else "",
        lines=rule.clause.lines if rule is not None else "",
    )
    found = []
    for part in parts:
        found.append(replace(part, amount=part.amount - amount) if part is own else part)
        if part is own:
            found.append(named)
    return found


def explain_to(*, by: User, resident: int, plan_code: str = "") -> list[Explanation]:
    """``explain`` for somebody who asks about a resident of his places; the look is in the trail.

    ``plan_code`` empty means the county's newest plan. Raises Problem 404 for a resident or plan he does not see,
    409 for a draft whose rules cannot be read.
    """
    person = Resident.objects.visible_to(by).filter(pk=resident, merged_into=None).first()
    plans = CollectionPlan.objects.in_force().select_related("county").filter(county=by.county)
    if plan_code:
        plans = plans.filter(code=plan_code)
    plan = plans.order_by("-coverage_year", "-version", "-pk").first()
    if person is None or plan is None:
        raise Problem(404, "not_found", _("没有找到，或者不在您的管辖范围内。"))
    try:
        answers = explain(plan=plan, resident=person)
    except PlanError:
        raise unreadable_plan() from None
    record(
        by=by, action="explain", target_kind="resident", target=person.pk, county_code=plan.county.code,
        detail={"plan": plan.code},
    )  # fmt: skip
    return answers
