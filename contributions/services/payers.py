"""Say who an unnamed payer is: kept as a row of its own, so that what was said before stays readable."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from contributions.models import PayerLevel, PayerResolution
from enrollment.models import CollectionPlan
from foundation.audit.services import record
from foundation.http import Problem
from subsidies.queries import rule_book
from townships.models import Township, User
from townships.rules import may


@transaction.atomic
def resolve_payer(
    *,
    by: User,
    plan: CollectionPlan,
    payer: str,
    level: str,
    name: str,
    account: str = "",
    basis: str = "",
    township: Township | None = None,
    rule: str = "",
) -> PayerResolution:
    """Name a payer of a plan, for one township or all, for one rule or all. Requests take it when they are submitted.

    Raises PermissionDenied for another post, Problem 400 for a payer, rule or level that is none and for a missing name.
    """
    if not may(by.role, "pay_funding") or plan.county_id != by.county_id:
        raise PermissionDenied
    book = rule_book(plan)
    if payer not in book.payers:
        raise Problem(400, "unknown_payer", _("方案里没有这个付款方。"))
    if rule and book.list_of(rule) is None and book.rule(rule) is None:
        raise Problem(400, "unknown_rule", _("方案里没有这条规则。"))
    if level not in PayerLevel.values:
        raise Problem(400, "unknown_level", _("请选择由哪一级财政或哪个部门承担。"))
    if len(name.strip()) < 2:
        raise Problem(400, "no_name", _("请写明付款单位的全称。"))
    if township is not None and township.pk not in by.scope_places().townships:
        raise PermissionDenied
    made = PayerResolution.objects.create(
        plan=plan, payer=payer, township=township, rule=rule, level=level, name=name.strip()[:80],
        account=account.strip()[:60], basis=basis.strip()[:120], by=by,
    )  # fmt: skip
    record(
        by=by, action="funding.payer", target_kind="plan", target=plan.code, county_code=plan.county.code,
        township_code=township.code if township is not None else "",
        detail={"payer": payer, "rule": rule, "level": level, "resolution": made.pk},
    )  # fmt: skip
    return made
