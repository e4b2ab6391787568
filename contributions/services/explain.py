"""Every yuan of a resident's charges with its clause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from contributions.models import Charge
from contributions.services.quotes import evaluate_resident, unreadable_plan
from enrollment.models import CollectionPlan, Registration, Resident
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.http import Problem
from subsidies.queries import explain_decision, explain_parts, rule_book
from subsidies.rules.source import PlanError
from townships.models import User


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
    """Why a resident owes what he owes for one insurance."""

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

    def as_json(self) -> dict[str, Any]:
        """As the command and the API give it."""
        return {
            "insurance": self.insurance,
            "decision": self.decision,
            "reason": self.reason or None,
            "benefit_start": self.benefit_start,
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
        }


def explain(*, plan: CollectionPlan, resident: Resident, on: date | None = None) -> list[Explanation]:
    """Ask the evaluator again for the day the charge was priced (else ``on``, else today), and cite its rules.

    The caller's scope decides whether the resident is seen at all.
    """
    book = rule_book(plan)
    registered = set(
        Registration.objects.filter(resident=resident, coverage_year=plan.coverage_year).values_list(
            "insurance", flat=True
        )
    )
    priced = dict(
        Charge.objects.filter(resident=resident, plan=plan, current=True).values_list(
            "insurance", "priced_on"
        )
    )
    answers = []
    for insurance in plan.insurances:
        if insurance == "pension" and insurance not in registered:
            continue
        day = on or priced.get(insurance) or business_date(plan.county.code)
        answer = evaluate_resident(
            plan=plan, insurance=insurance, resident=resident.pk, on=day, route="village"
        )
        decision = explain_decision(book, answer)
        answers.append(
            Explanation(
                insurance=insurance,
                decision=decision["decision"],
                reason=decision["reason"] or "",
                timing=decision["timing"] or "",
                benefit_start=decision["benefit_start"],
                benefit_end=decision["benefit_end"],
                rule=decision["rule"],
                clause=decision["clause"],
                lines=decision["lines"],
                parts=[ExplainedPart(**part) for part in explain_parts(book, answer)],
                warnings=list(answer["warnings"] or []),
                total=answer["total_amount"],
            )
        )
    return answers


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
