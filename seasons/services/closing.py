"""Close a year: lock its plan, archive it, sum it up. A job in parts, resumed after any death; opened again for a reason.

1. Lock: what must be settled is looked at again, the ledger is proved, the plan is closed. From here on nothing more
   becomes due and sums stand; what was begun before may still commit, so the parts wait for it.
2. A part a township: its workbook, sealed in storage.
3. The county: figures counted from the tables, its workbook with the directory of all files, its paper.
4. The digest over all files, the summary kept with the closing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.db.models import Count, Max
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.services.ledger import verify_ledger
from enrollment.models import CollectionPlan, PlanStatus, Registration
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.jobs.kinds import Chunk, JobFailed, JobKind
from foundation.jobs.models import Job
from foundation.jobs.services import queue
from seasons.models import FileKind, SeasonClosing
from seasons.services.archive import archive_county, archive_township, forget_strays
from seasons.services.readiness import Readiness, readiness
from seasons.services.summary import summarise
from subsidies.rules.source import PlanError
from subsidies.services.life import close_plan, reopen_plan
from subsidies.services.messages import describe
from townships.models import Township, User
from townships.queries import county_places

KIND: Final = "close_season"
# How long a part waits for what was begun before the plan was closed.
PATIENCE_SECONDS: Final = 60.0


class NotReady(Exception):
    """The year cannot be closed yet; ``found`` says what stands in the way, or what needs a reason."""

    def __init__(self, found: Readiness) -> None:
        super().__init__("not ready")
        self.found = found


def request_closing(*, by: Any, plan: CollectionPlan, reason: str = "") -> Job:
    """Ask for the closing of a year, or go on with one that was interrupted.

    Runs under the scope of the whole county. Raises NotReady while something must be settled first, and for warnings
    without a ``reason`` of at least four characters.
    """
    today = business_date(plan.county.code)
    found = readiness(plan, today=today)
    said = reason.strip()
    if found.blockers or (found.warnings and len(said) < 4):
        raise NotReady(found)
    with transaction.atomic():
        closing = SeasonClosing.objects.select_for_update().filter(plan=plan, reopened_at=None).first()
        if closing is None:
            last = SeasonClosing.objects.filter(plan=plan).aggregate(n=Max("number"))["n"] or 0
            closing = SeasonClosing.objects.create(
                plan=plan, number=last + 1, reason=said[:200], asked_by=by, on=today,
                warnings=[matter.as_json() for matter in found.warnings],
            )  # fmt: skip
            record(
                by=by, action="season.close", target_kind="plan", target=plan.code, county_code=plan.county.code,
                detail={
                    "number": closing.number, "warnings": {m.code: m.count for m in found.warnings}, "reason": said[:200],
                },
            )  # fmt: skip
        return queue.submit(
            by=by, kind=KIND, county_code=plan.county.code, params={"plan": plan.pk, "closing": closing.pk},
            key=str(closing.pk), places=county_places(plan.county),
        )  # fmt: skip


def _closing(job: Job) -> SeasonClosing:
    # the command or page that asked has checked whose plan it is
    found = SeasonClosing.objects.select_related("plan__county").filter(pk=job.params["closing"]).first()
    if found is None or found.reopened_at is not None:
        raise JobFailed(_("这次结账已经不在了。"))
    return found


def plan_parts(job: Job) -> Sequence[Chunk]:
    """Lock, then a part for each township that has registrations, then the county."""
    closing = _closing(job)
    weights = dict(
        Registration.objects.filter(plan=closing.plan)
        .values_list("township")
        .annotate(n=Count("pk"))
        .values_list("township", "n")
    )
    order = Township.objects.filter(pk__in=weights).order_by("position", "code").values_list("pk", flat=True)
    total = sum(weights.values())
    return [
        Chunk({"step": "lock"}, max(1, total // 20)),
        *(Chunk({"step": "township", "township": pk}, weights[pk]) for pk in order),
        Chunk({"step": "county"}, max(1, total // 20)),
    ]


def work_part(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    """Do one part; again it changes nothing."""
    closing = _closing(job)
    if spec["step"] == "lock":
        return _lock(job, closing)
    _wait_for_writers(closing)
    if spec["step"] == "township":
        file = archive_township(closing, Township.objects.get(pk=spec["township"]))
        return {"files": 1, "lines": file.lines, "bytes": file.size}
    return _county(closing)


def _lock(job: Job, closing: SeasonClosing) -> dict[str, Any]:
    if closing.locked_at is not None:
        return {}
    found = readiness(closing.plan, today=closing.on)
    blockers = [matter.text for matter in found.blockers]
    if blockers:
        raise JobFailed(_("还不能结账：%(what)s") % {"what": "".join(blockers)})
    proof = verify_ledger()
    if not proof.ok:
        broken = "、".join(name for name, n in proof.broken.items() if n) or "residual"
        raise JobFailed(
            _("账不平（%(what)s，差额 %(amount)s 元），先对平再结账。")
            % {"what": broken, "amount": f"{proof.residual:.2f}"}
        )
    if closing.plan.status != PlanStatus.CLOSED:
        try:
            close_plan(by=job.requested_by, plan=closing.plan, reason=closing.reason or _("年度结账"))
        except PlanError as error:
            raise JobFailed(describe(error)) from None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        row = cursor.fetchone()
    assert row is not None
    SeasonClosing.objects.filter(pk=closing.pk).update(locked_at=timezone.now(), transaction=row[0])
    return {}


def _wait_for_writers(closing: SeasonClosing) -> None:
    """Until everything begun before the plan was closed has ended. Raises JobFailed when something does not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > %(locked)s"
                " OR pg_current_xact_id_if_assigned()::text::bigint = %(locked)s",
                {"locked": closing.transaction},
            )
            row = cursor.fetchone()
            assert row is not None
            if row[0] or closing.transaction is None:
                return
            if time.monotonic() > deadline:
                raise JobFailed(_("封账以前开始的一项工作还没有做完，请等它结束后继续归档。"))
            time.sleep(0.2)


def _county(closing: SeasonClosing) -> dict[str, Any]:
    forget_strays(closing)
    # A day's summary stands for the day of closing, whenever its job ended.
    summary = summarise(closing.plan, today=closing.on)
    made = archive_county(closing, summary)
    digest = hashlib.sha256()
    for sha in closing.files.order_by("kind", "township__code", "pk").values_list("sha256", flat=True):
        digest.update(sha.encode())
    SeasonClosing.objects.filter(pk=closing.pk).update(
        summary=summary, digest=digest.hexdigest(), archived_at=timezone.now()
    )
    return {"files": len(made), "lines": 0, "bytes": sum(file.size for file in made)}


def sum_up(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The job's result: files, lines and bytes archived."""
    closing = _closing(job)
    result = {key: sum(part.get(key, 0) for part in results) for key in ("files", "lines", "bytes")}
    record(
        by=job.requested_by, action="season.archive", target_kind="plan", target=closing.plan.code,
        county_code=closing.plan.county.code,
        detail={"number": closing.number, "digest": closing.digest, **result},
    )  # fmt: skip
    return {"archived": result["files"], **result}


CLOSING: Final = JobKind(KIND, gettext_lazy("年度结账归档"), plan_parts, work_part, sum_up)  # type: ignore[arg-type]


@transaction.atomic
def reopen_season(*, by: User, plan: CollectionPlan, reason: str) -> SeasonClosing:
    """Take a closed year back into work, for a reason. Its archive stays as it is; closing again makes another.

    Raises PermissionDenied for a post that may not, ValidationError without a reason or while it is being archived.
    """
    if by.role != "admin":
        raise PermissionDenied
    said = reason.strip()
    if len(said) < 4:
        raise ValidationError({"reason": _("请写明为什么重新开启，至少四个字。")})
    closing = SeasonClosing.objects.select_for_update().filter(plan=plan, reopened_at=None).first()
    if Job.objects.open().filter(kind=KIND, params__plan=plan.pk).exists():
        raise ValidationError({"reason": _("正在归档，做完再重新开启。")})
    try:
        reopen_plan(by=by, plan=plan, reason=said)
    except PlanError as error:
        raise ValidationError({"reason": describe(error)}) from None
    if closing is None:
        # Closed by its plan alone: there is no archive to tell apart.
        closing = SeasonClosing.objects.create(
            plan=plan, number=(SeasonClosing.objects.filter(plan=plan).aggregate(n=Max("number"))["n"] or 0) + 1,
            on=business_date(plan.county.code), asked_by=by,
        )  # fmt: skip
    closing.reopened_by, closing.reopened_at, closing.reopened_why = by, timezone.now(), said[:200]
    closing.save(update_fields=["reopened_by", "reopened_at", "reopened_why"])
    record(
        by=by, action="season.reopen", target_kind="plan", target=plan.code, county_code=plan.county.code,
        detail={"number": closing.number, "reason": said[:200]},
    )  # fmt: skip
    return closing


def files_by_kind(closing: SeasonClosing) -> dict[str, int]:
    """How many files of each kind the archive holds."""
    counted = dict(closing.files.values_list("kind").annotate(n=Count("pk")).values_list("kind", "n"))
    return {kind.value: counted.get(kind.value, 0) for kind in FileKind}
