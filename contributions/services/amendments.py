"""An amendment: shown before it takes effect, and then making exactly what was shown.

1. The preview is a job, a part a township: whose charges would change, stored as lines with sums and a digest.
2. Putting it into force is a job. First every township is found again: where facts have moved since the preview it stops
   before anything is written, and the new preview is what is shown; unless somebody has said that what moves is to go
   along.
3. Then the texts change places, in one transaction: from now on everything is priced by the new one.
4. Then the charges of each township follow, with what is paid, each part in one transaction with its mark. A part
   killed is done again, a job stopped is gone on with; nothing is written twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.models import Amendment, AmendmentState, AmendmentSum, FigureRebuild
from contributions.rules import AMENDMENT_STEPS
from contributions.services.amendment_sets import Texts, store, township_changes
from contributions.services.assess import AssessResult, write_changes
from enrollment.models import CollectionPlan, PlanStatus, Registration, Resident
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.http import Problem
from foundation.jobs.kinds import Chunk, JobFailed, JobKind
from foundation.jobs.models import OPEN_STATES, Job
from foundation.jobs.services import queue
from foundation.scope.places import Places
from subsidies.queries import rule_book
from subsidies.rules.source import PlanError
from subsidies.services.amend import check_amendment, exchange, open_amendment, withdraw_amendment
from subsidies.services.messages import describe
from townships.models import Township, User

PREVIEW: Final = "amendment_preview"
EFFECT: Final = "amendment"
_OPEN: Final = (AmendmentState.WRITTEN, AmendmentState.TAKING)


def find_amendment(plan: CollectionPlan) -> Amendment | None:
    """The amendment under way of a plan in force, saved or not yet; None where no draft is written."""
    found = Amendment.objects.filter(plan=plan, state__in=_OPEN).select_related("draft", "plan").first()
    draft = open_amendment(plan)
    if found is not None and (found.state == AmendmentState.TAKING or draft is not None):
        return found
    if draft is None:
        return None
    return Amendment(plan=plan, draft=draft, from_version=plan.version, to_version=draft.version)


def is_previewed(amendment: Amendment) -> bool:
    """Whether the preview that is kept is of the texts as they stand."""
    return (
        amendment.draft is not None
        and bool(amendment.text)
        and amendment.text == amendment.draft.source_sha256
        and amendment.standing_text == amendment.plan.source_sha256
    )


def digest_of(amendment: Amendment) -> str:
    """The whole change set in one value: the digests of all townships."""
    rows = AmendmentSum.objects.filter(amendment=amendment).order_by("township", "insurance")
    said = "".join(f"{t}:{i}:{d};" for t, i, d in rows.values_list("township", "insurance", "digest"))
    return hashlib.sha256(said.encode()).hexdigest()


def withdraw(*, by: User, plan: CollectionPlan) -> None:
    """Take the draft back, with its preview. Raises PlanError where there is none, or it is taking effect."""
    amendment = find_amendment(plan)
    if amendment is None or amendment.draft is None or amendment.state != AmendmentState.WRITTEN:
        raise PlanError("no_amendment", plan=plan.code)
    with transaction.atomic():
        draft = amendment.draft
        if amendment.pk:
            amendment.lines.all().delete()
            amendment.sums.all().delete()
            _step(amendment, AmendmentState.WITHDRAWN)
            amendment.draft = None
            amendment.save(update_fields=["state", "draft"])
        withdraw_amendment(by=by, draft=draft)


def _step(amendment: Amendment, following: AmendmentState) -> None:
    if following not in AMENDMENT_STEPS[amendment.state]:
        raise PlanError("no_amendment", plan=amendment.plan.code)
    amendment.state = following


def _county(plan: CollectionPlan) -> Places:
    return Places(frozenset(Township.objects.filter(county_id=plan.county_id).values_list("pk", flat=True)))


def job_of(amendment: Amendment) -> Job | None:
    """The newest job of an amendment, whoever asked for it: it binds the whole county."""
    if not amendment.pk:
        return None
    jobs = Job.objects.filter(kind__in=(PREVIEW, EFFECT), params__amendment=amendment.pk)
    return jobs.order_by("-created_at").first()


def request_preview(*, by: User, plan: CollectionPlan) -> Job:
    """Ask for the preview of the draft; the open job for it is joined. Raises Problem 409 where there is no draft."""
    amendment = find_amendment(plan)
    if amendment is None or amendment.state != AmendmentState.WRITTEN:
        raise Problem(409, "no_amendment", _("没有待生效的修订，请先写修订。"))
    if not amendment.pk:
        amendment.save()
    return queue.submit(
        by=by, kind=PREVIEW, county_code=plan.county.code, key=f"{amendment.pk}", places=_county(plan),
        params={"amendment": amendment.pk, "on": business_date(plan.county.code).isoformat()},
    )  # fmt: skip


def request_effect(
    *, by: User, plan: CollectionPlan, digest: str, effective_on: date, moving: bool = False
) -> Job:
    """Put the draft into force as previewed; ``moving`` lets what has moved since go along.

    Raises Problem 409 while it cannot be: not previewed, another preview than was shown, examples open, a day to come.
    A job that was stopped after the texts had changed places is gone on with.
    """
    amendment = find_amendment(plan)
    if amendment is None:
        raise Problem(409, "no_amendment", _("没有待生效的修订，请先写修订。"))
    if amendment.state == AmendmentState.WRITTEN:
        _check(amendment, digest, effective_on)
    return queue.submit(
        by=by, kind=EFFECT, county_code=plan.county.code, key=f"{amendment.pk}", places=_county(plan),
        params={
            "amendment": amendment.pk, "digest": digest, "effective_on": effective_on.isoformat(), "moving": moving,
            "on": business_date(plan.county.code).isoformat(),
        },
    )  # fmt: skip


def _check(amendment: Amendment, digest: str, effective_on: date) -> None:
    if not is_previewed(amendment) or amendment.draft is None:
        raise Problem(409, "not_previewed", _("这份修订还没有试算，或者正文改过，请先试算。"))
    if digest != digest_of(amendment):
        raise Problem(409, "other_preview", _("试算的结果已经更新，请看过新的结果再生效。"))
    if effective_on > business_date(amendment.plan.county.code):
        raise Problem(409, "not_yet", _("生效日期还没有到，到那天再生效。"))
    try:
        check_amendment(amendment.draft)
    except PlanError as error:
        raise Problem(409, "examples_differ", describe(error)) from None


# the jobs


def _amendment(job: Job) -> Amendment:
    # the page that asked has checked whose plan it is
    found = (
        Amendment.objects.select_related("plan__county", "draft").filter(pk=job.params["amendment"]).first()
    )
    if found is None or found.draft is None:
        raise JobFailed(_("这份修订已经撤回。"))
    return found


def _texts(amendment: Amendment) -> Texts:
    """Before and after: the row in force holds the old text until they change places, and the new one afterwards."""
    assert amendment.draft is not None
    try:
        here, there = rule_book(amendment.plan), rule_book(amendment.draft)
    except PlanError as error:
        raise JobFailed(describe(error)) from None
    if amendment.state == AmendmentState.WRITTEN:
        return Texts(amendment.plan, here, there)
    return Texts(amendment.plan, there, here)


def _townships(plan: CollectionPlan) -> list[tuple[int, int]]:
    """Townships with people or registrations of the plan, in order, with how many."""
    people = Resident.objects.filter(county_id=plan.county_id, merged_into=None)
    if plan.township_id is not None:
        people = people.filter(Q(township=plan.township_id) | Q(also_townships__contains=[plan.township_id]))
    weights = dict(people.values_list("township").annotate(n=Count("pk")).values_list("township", "n"))
    for pk in Registration.objects.filter(plan=plan).values_list("township", flat=True).distinct():
        weights.setdefault(pk, 1)
    order = Township.objects.filter(pk__in=weights).order_by("position", "code").values_list("pk", flat=True)
    return [(pk, weights[pk]) for pk in order]


def _plan_preview(job: Job) -> Sequence[Chunk]:
    amendment = _amendment(job)
    return [Chunk({"township": pk}, weight) for pk, weight in _townships(amendment.plan)]


def _work_preview(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    amendment = _amendment(job)
    if amendment.state != AmendmentState.WRITTEN:
        raise JobFailed(_("这份修订正在生效，不再试算。"))
    return {"moved": _found_again(amendment, spec["township"], date.fromisoformat(job.params["on"]))}


def _found_again(amendment: Amendment, township: int, day: date) -> bool:
    """Find a township's changes and keep them; whether they are others than those kept before."""
    moved = False
    with township_changes(_texts(amendment), township, day) as found:
        for run, cursor, _paid in found:
            moved |= store(cursor, run, amendment)
    return moved


def _finish_preview(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    amendment = _amendment(job)
    assert amendment.draft is not None
    amendment.text, amendment.standing_text = amendment.draft.source_sha256, amendment.plan.source_sha256
    amendment.previewed_on, amendment.previewed_at = date.fromisoformat(job.params["on"]), timezone.now()
    amendment.save(update_fields=["text", "standing_text", "previewed_on", "previewed_at"])
    touched = sum(amendment.sums.values_list("touched", flat=True))
    record(
        by=job.requested_by, action="plan.preview", target_kind="plan",
        target=f"{amendment.plan.code} v{amendment.to_version}", county_code=job.county_code,
        detail={"touched": touched, "digest": digest_of(amendment)},
    )  # fmt: skip
    return {"touched": touched}


def _plan_effect(job: Job) -> Sequence[Chunk]:
    amendment = _amendment(job)
    townships = _townships(amendment.plan)
    apply = [Chunk({"step": "apply", "township": pk}, weight) for pk, weight in townships]
    if amendment.state != AmendmentState.WRITTEN:
        return apply
    check = [Chunk({"step": "check", "township": pk}, weight) for pk, weight in townships]
    return [*check, Chunk({"step": "exchange"}), *apply]


def _work_effect(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    day = date.fromisoformat(job.params["on"])
    if spec["step"] == "check":
        return {"moved": _found_again(_amendment(job), spec["township"], day)}
    if spec["step"] == "exchange":
        return _exchange(job)
    return _apply(job, spec["township"], day)


def _exchange(job: Job) -> dict[str, Any]:
    """The texts change places, if the change set is the one that was confirmed."""
    amendment = Amendment.objects.select_for_update(of=("self",)).get(pk=job.params["amendment"])
    if amendment.state != AmendmentState.WRITTEN:
        return {}
    digest = digest_of(amendment)
    if digest != job.params["digest"] and not job.params["moving"]:
        raise JobFailed(
            _(
                "试算之后事实有变（新的缴费、名单或更正），什么都没有改。下面是按最新事实试算的结果，请看过再生效。"
            )
        )
    assert amendment.draft is not None
    try:
        amendment.plan = exchange(by=job.requested_by, plan=amendment.plan, draft=amendment.draft)
    except PlanError as error:
        raise JobFailed(describe(error)) from None
    _step(amendment, AmendmentState.TAKING)
    amendment.digest, amendment.confirmed_by = digest, job.requested_by
    amendment.effective_on = date.fromisoformat(job.params["effective_on"])
    amendment.save(update_fields=["state", "digest", "confirmed_by", "effective_on"])
    return {}


def _apply(job: Job, township: int, day: date) -> dict[str, Any]:
    """A township's charges follow: what was kept as the change set, or what it is now where facts moved meanwhile."""
    amendment = _amendment(job)
    if amendment.plan.status != PlanStatus.PUBLISHED:
        raise JobFailed(_("方案已结束，修订没有做完。"))
    result, moved = AssessResult(), False
    done = set(
        AmendmentSum.objects.filter(amendment=amendment, township=township, applied=True).values_list(
            "insurance", flat=True
        )
    )
    with township_changes(_texts(amendment), township, day) as found:
        for run, cursor, paid in found:
            if run.insurance in done:
                continue
            again = store(cursor, run, amendment, applied=True)
            if again:
                AmendmentSum.objects.filter(
                    amendment=amendment, township=township, insurance=run.insurance
                ).update(moved=True)
            moved |= again
            write_changes(cursor, run, result, paid=paid, amendment=amendment.pk)
    return {"charges": result.charges, "changed": result.changed, "moved": moved}


def _finish_effect(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    amendment = Amendment.objects.select_for_update(of=("self",)).get(pk=job.params["amendment"])
    if amendment.state == AmendmentState.TAKING:
        _step(amendment, AmendmentState.IN_FORCE)
        amendment.took_effect_at = timezone.now()
        amendment.save(update_fields=["state", "took_effect_at"])
        FigureRebuild.objects.create(plan=amendment.plan)
        record(
            by=job.requested_by, action="plan.amended", target_kind="plan",
            target=f"{amendment.plan.code} v{amendment.to_version}", county_code=job.county_code,
            detail={
                "digest": amendment.digest, "effective_on": amendment.effective_on,
                "touched": sum(amendment.sums.values_list("touched", flat=True)),
                "charges": sum(result.get("charges", 0) for result in results),
            },
        )  # fmt: skip
    return {
        name: sum(int(result.get(name, 0)) for result in results) for name in ("charges", "changed", "moved")
    }


PREVIEW_KIND: Final = JobKind(
    PREVIEW, gettext_lazy("试算修订"), _plan_preview, _work_preview, _finish_preview  # type: ignore[arg-type]
)  # fmt: skip
EFFECT_KIND: Final = JobKind(
    EFFECT, gettext_lazy("修订生效"), _plan_effect, _work_effect, _finish_effect  # type: ignore[arg-type]
)  # fmt: skip


def is_running(job: Job | None) -> bool:
    """Whether a job is still at work."""
    return job is not None and job.state in OPEN_STATES
