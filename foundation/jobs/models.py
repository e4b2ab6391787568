"""Background jobs as rows: the truth that Celery and Redis only carry."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    """A job's way: queued → running → succeeded, failed or cancelled; a silent job is queued again."""

    QUEUED = "queued", _("排队中")
    RUNNING = "running", _("进行中")
    SUCCEEDED = "succeeded", _("已完成")
    FAILED = "failed", _("失败")
    CANCELLED = "cancelled", _("已取消")


OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)


class JobQuerySet(models.QuerySet["Job"]):
    """Reads of jobs."""

    def visible_to(self, user: Any) -> JobQuerySet:
        """A person's own jobs; county offices and auditors see those of their county."""
        if getattr(user, "sees_all_work", False):
            return self.filter(county_code=user.county_code)
        return self.filter(requested_by=user)

    def open(self) -> JobQuerySet:
        """Queued or running."""
        return self.filter(state__in=OPEN_STATES)


class Job(models.Model):
    """One request for background work. ``lease_until`` passes when its worker went silent."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    county_code = models.CharField(max_length=12)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    places = models.JSONField(default=dict)
    params = models.JSONField(default=dict)
    key = models.CharField(max_length=200, help_text="Requests with the same key join the open job.")
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    attempt = models.IntegerField(default=0)
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)
    planned = models.BooleanField(default=False)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=Q(state__in=["queued", "running"]),
                name="job_one_open_per_key",
            )
        ]
        indexes = [models.Index(fields=["state", "lease_until"], name="job_state_lease")]

    @property
    def percent(self) -> int:
        """Progress in whole percent; 100 only when it is finished."""
        if self.state == JobState.SUCCEEDED:
            return 100
        return min(99, int(100 * self.done / self.total)) if self.total else 0


class JobChunk(models.Model):
    """An idempotent piece of a job, done once: its effect commits together with its ``done`` mark."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="chunks")
    index = models.IntegerField()
    spec = models.JSONField(default=dict)
    weight = models.IntegerField(default=1)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    owner = models.CharField(max_length=80, blank=True)
    attempt = models.IntegerField(default=0)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "index"], name="job_chunk_once")]
