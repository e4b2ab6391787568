"""Who did what to what: insert only, chained later by a sealer."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from foundation.scope.models import AppendOnlyModel


class CurrentTransaction(models.Func):
    """The writing transaction's number, so that the sealer knows which events can no longer gain neighbours."""

    template = "pg_current_xact_id()::text::bigint"
    output_field = models.BigIntegerField()
    arity = 0


class AuditEvent(AppendOnlyModel):
    """One act. A bulk write is one event with a digest of the rows it changed."""

    at = models.DateTimeField(db_default=Now())
    transaction = models.BigIntegerField(db_default=CurrentTransaction(), editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    action = models.CharField(max_length=64)
    county_code = models.CharField(max_length=12, blank=True)
    township_code = models.CharField(max_length=12, blank=True)
    target_kind = models.CharField(max_length=40, blank=True)
    target = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["target_kind", "target"], name="audit_event_target"),
            models.Index(fields=["transaction", "id"], name="audit_event_transaction"),
        ]


class AuditSeal(AppendOnlyModel):
    """A link of the chain over all events below a transaction number."""

    sealed_at = models.DateTimeField(db_default=Now())
    below = models.BigIntegerField(unique=True)
    events = models.IntegerField()
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
