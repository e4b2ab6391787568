"""The life of a plan: published when it proves itself, amended by its next version, closed when the season is over."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import CollectionPlan, PlanStatus
from enrollment.rules import may_become
from foundation.audit.services import record
from subsidies.queries import Checked, check_examples, examples_of, rule_book
from subsidies.rules.source import PlanError


def step(plan: CollectionPlan, following: PlanStatus) -> None:
    """Set the next state of a locked row. Raises PlanError for a step that ``PLAN_STEPS`` does not have."""
    if not may_become(plan.status, following):
        before, after = plan.get_status_display(), following.label
        raise PlanError("not_a_step", plan=plan.code, version=plan.version, before=before, after=after)
    plan.status = following


def lock(plan: CollectionPlan) -> CollectionPlan:
    """The plan's row as it stands, held until the transaction ends."""
    return CollectionPlan.objects.select_for_update(of=("self",)).select_related("county").get(pk=plan.pk)


@transaction.atomic
def publish_plan(*, by: Any, plan: CollectionPlan) -> Checked:
    """Publish a draft if every one of its own worked examples passes; from then on its text is frozen.

    Returns the check; the plan is published when nothing failed. Raises PlanError where it has no examples, where the
    paper is not issued yet, and for a version that amends another: that one takes effect by its amendment.
    """
    locked = lock(plan)
    if locked.status == PlanStatus.PROVISIONAL:
        raise PlanError("not_issued", plan=locked.code)
    if CollectionPlan.objects.in_force().exclude(pk=locked.pk).filter(code=locked.code).exists():
        raise PlanError("amends", plan=locked.code, version=locked.version)
    step(locked, PlanStatus.PUBLISHED)
    checked = check_examples(rule_book(locked), examples_of(locked))
    if not checked.failed:
        locked.published_at = timezone.now()
        locked.save(update_fields=["status", "published_at"])
        record(
            by=by, action="plan.publish", target_kind="plan", target=f"{locked.code} v{locked.version}",
            county_code=locked.county.code, detail={"examples": checked.total},
        )  # fmt: skip
    return checked


@transaction.atomic
def close_plan(*, by: Any, plan: CollectionPlan, reason: str) -> CollectionPlan:
    """End a published plan: nothing more becomes due under it; money that still comes is kept and asked about.

    Raises PlanError for a plan that is not in force or is being amended, ValidationError without a reason.
    """
    said = reason.strip()
    if len(said) < 2:
        raise ValidationError({"reason": _("请写明为什么结束，至少两个字。")})
    locked = lock(plan)
    step(locked, PlanStatus.CLOSED)
    if CollectionPlan.objects.filter(code=locked.code, status=PlanStatus.DRAFT).exists():
        raise PlanError("amendment_open", plan=locked.code)
    locked.closed_at, locked.closing_note = timezone.now(), said[:200]
    locked.save(update_fields=["status", "closed_at", "closing_note"])
    record(
        by=by, action="plan.close", target_kind="plan", target=f"{locked.code} v{locked.version}",
        county_code=locked.county.code,
    )  # fmt: skip
    return locked


@transaction.atomic
def reopen_plan(*, by: Any, plan: CollectionPlan, reason: str) -> CollectionPlan:
    """Take a closed plan back into force, for a reason that stays in the trail. Raises PlanError, ValidationError."""
    said = reason.strip()
    if len(said) < 2:
        raise ValidationError({"reason": _("请写明为什么重新开启，至少两个字。")})
    locked = lock(plan)
    if locked.status != PlanStatus.CLOSED:
        raise PlanError("not_closed", plan=locked.code)
    step(locked, PlanStatus.PUBLISHED)
    locked.closed_at, locked.closing_note = None, ""
    locked.save(update_fields=["status", "closed_at", "closing_note"])
    record(
        by=by, action="plan.reopen", target_kind="plan", target=f"{locked.code} v{locked.version}",
        county_code=locked.county.code, detail={"reason": said[:200]},
    )  # fmt: skip
    return locked
