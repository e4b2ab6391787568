"""A job as people follow it: a page, and a partial that fetches itself every second until the job has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from foundation.jobs.kinds import JobFailed, job_kind
from foundation.jobs.models import OPEN_STATES, Job, JobState
from foundation.jobs.services import queue

# The counts a result may name, in the words of the office; what is not here is for machines.
RESULT_WORDS = {
    "rosters": gettext_lazy("清册（册）"),
    "lines": gettext_lazy("人数"),
    "new": gettext_lazy("新增"),
    "unchanged": gettext_lazy("没有变化"),
    "workbooks": gettext_lazy("工作簿"),
    "read": gettext_lazy("读到"),
    "accepted": gettext_lazy("接收"),
    "changed": gettext_lazy("有变化"),
    "rejected": gettext_lazy("退回"),
    "assessed": gettext_lazy("核定"),
    "charges": gettext_lazy("应缴"),
    "touched": gettext_lazy("应缴有变"),
    "kept_as_paid": gettext_lazy("已缴保留"),
}
# A job tells its rest when a fiftieth of it is done.
_MEASURABLE = 50
STATE_LOOK = {
    JobState.QUEUED: ("wait", "clock"),
    JobState.RUNNING: ("go", "clock"),
    JobState.SUCCEEDED: ("done", "check"),
    JobState.FAILED: ("wrong", "alert"),
    JobState.CANCELLED: ("", "alert"),
}


def job_context(job: Job, *, next_url: str = "", here: bool = False, back: str = "") -> dict[str, Any]:
    """What the partial shows. ``here`` reloads the page it stands in once the job has ended; ``back`` is that page."""
    try:
        label = str(job_kind(job.kind).label)
    except JobFailed:
        label = job.kind
    look, icon = STATE_LOOK[JobState(job.state)]
    return {
        "job": job,
        "job_label": label,
        "job_open": job.state in OPEN_STATES,
        "job_look": look,
        "job_icon": icon,
        "job_left": _time_left(job),
        "job_slow": _waits_for_a_worker(job),
        "job_result": [
            (word, f"{job.result[key]:,}")
            for key, word in RESULT_WORDS.items()
            if isinstance(job.result.get(key), int)
        ],
        "job_next": next_url,
        "job_here": here,
        "job_back": back,
        "job_pace": _pace(job),
    }


def _time_left(job: Job) -> str:
    """The rest at the pace so far; nothing before there is a pace to speak of."""
    slow = not job.done or job.done * _MEASURABLE < job.total
    if job.state != JobState.RUNNING or job.started_at is None or slow:
        return ""
    spent = (timezone.now() - job.started_at).total_seconds()
    seconds = int(spent * (job.total - job.done) / job.done) + 1
    if seconds < 60:
        return _("大约还要 %(n)s 秒") % {"n": seconds}
    return _("大约还要 %(n)s 分钟") % {"n": -(-seconds // 60)}


def _pace(job: Job) -> str:
    """How many rows are done of how many and how fast, where the work tells it while it runs."""
    rows, of, speed = (job.result.get(key) for key in ("rows", "of", "per_second"))
    if job.state != JobState.RUNNING or not isinstance(rows, int) or not rows:
        return ""
    text = _("第 %(n)s 行") % {"n": f"{rows:,}"}
    if isinstance(of, int) and of >= rows:
        text = _("第 %(n)s 行，共 %(of)s 行") % {"n": f"{rows:,}", "of": f"{of:,}"}
    return _("%(rows)s，每秒 %(speed)s 行") % {"rows": text, "speed": f"{speed:,}"} if speed else text


def _waits_for_a_worker(job: Job) -> bool:
    return job.state == JobState.QUEUED and timezone.now() - job.created_at > timedelta(seconds=15)


def _visible(request: HttpRequest, pk: UUID) -> Job:
    return get_object_or_404(Job.objects.visible_to(request.user), pk=pk)


def _next(request: HttpRequest, name: str = "next") -> str:
    url = request.GET.get(name, "")
    safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if safe else ""


@login_required
@never_cache
@require_GET
def job_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One job, live."""
    context = job_context(_visible(request, pk), next_url=_next(request))
    return render(request, "jobs/page.html", context)


@login_required
@never_cache
@require_GET
def job_progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The partial alone. With ``here`` the page around it is loaded again when the job has ended."""
    job, here = _visible(request, pk), "here" in request.GET
    context = job_context(job, next_url=_next(request), here=here, back=_next(request, "back"))
    response = render(request, "jobs/_progress.html", context)
    if here and job.state not in OPEN_STATES:
        response["HX-Refresh"] = "true"
    return response


@login_required
@require_POST
def job_cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Stop one's own job at its next part; what is done stays done."""
    job = get_object_or_404(
        Job.objects.visible_to(request.user).filter(requested_by_id=request.user.pk), pk=pk
    )
    queue.cancel(by=request.user, job=job)
    return redirect(_next(request, "back") or reverse("jobs:page", args=[job.pk]))
