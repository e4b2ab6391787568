"""Background jobs, to read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from foundation.jobs.kinds import JobFailed, job_kind
from foundation.jobs.models import Job
from foundation.office import Panel, ScopedModelAdmin, office_panel


def job_label(job: Job) -> str:
    """What people call a job of this kind."""
    try:
        return str(job_kind(job.kind).label)
    except JobFailed:
        return job.kind


@admin.register(Job)
class JobAdmin(ScopedModelAdmin):
    """任务."""

    list_display = ("label", "state", "progress", "created_at", "finished_at", "attempt")
    list_filter = (("state", ChoicesDropdownFilter),)
    fields = ("label", "state", "progress", "attempt", "created_at", "started_at", "finished_at", "error")
    readonly_fields = fields
    ordering = ("-created_at",)
    audit_kind = "job"

    @display(description=_("任务"))
    def label(self, job: Job) -> str:
        """What it does."""
        return job_label(job)

    @display(description=_("进度"))
    def progress(self, job: Job) -> str:
        """Whole percent."""
        return f"{job.percent}%"


@office_panel
def last_jobs(user: Any, today: date) -> Iterator[Panel]:
    """The last five jobs a person may see."""
    jobs = [(job, job_label(job)) for job in Job.objects.visible_to(user).order_by("-created_at")[:5]]
    if jobs:
        yield Panel("office/_jobs.html", {"jobs": jobs})
