"""The end of a season: who closed it and why so, what was archived, who opened it again."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models import CollectionPlan
from foundation.scope.models import AppendOnlyModel
from townships.models import Township, User


class SeasonClosing(models.Model):
    """A closing (结账) of a plan's year. ``number`` counts on when a year was opened again and is closed again.

    ``warnings`` are what was open and accepted with ``reason``; ``summary`` the figures as they stood, frozen;
    ``digest`` is SHA-256 over the digests of the archived files in their order.
    """

    id = models.AutoField(primary_key=True)
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", verbose_name=_("方案")
    )
    number = models.IntegerField(_("次"))
    reason = models.CharField(_("说明"), max_length=200, blank=True)
    warnings = models.JSONField(_("未了事项"), default=list)
    asked_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("经办人")
    )
    asked_at = models.DateTimeField(_("提出时间"), db_default=Now())
    on = models.DateField(_("结账日期"))
    locked_at = models.DateTimeField(_("封账时间"), null=True)
    transaction = models.BigIntegerField(null=True)
    """The number of the transaction that locked the plan: what was begun before it may still write."""
    summary = models.JSONField(_("总结"), default=dict)
    digest = models.CharField(_("校验码"), max_length=64, blank=True)
    archived_at = models.DateTimeField(_("归档时间"), null=True)
    reopened_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("重开人")
    )
    reopened_at = models.DateTimeField(_("重开时间"), null=True)
    reopened_why = models.CharField(_("重开原因"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("年度结账")
        verbose_name_plural = _("年度结账")
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="season_closing_number_once"),
            models.UniqueConstraint(
                fields=["plan"], condition=Q(reopened_at=None), name="season_closing_one_standing"
            ),
            models.CheckConstraint(
                condition=Q(archived_at=None) | Q(locked_at__isnull=False) & ~Q(digest=""),
                name="season_closing_archived_when_locked",
            ),
        ]

    @property
    def archived(self) -> bool:
        """Whether everything is in the archive."""
        return self.archived_at is not None


class ArchivedFileQuerySet(models.QuerySet["ArchivedFile"]):
    """Reads of archived files."""

    def visible_to(self, user: Any) -> ArchivedFileQuerySet:
        """Files of the county for who sees it whole; of a township for who sees that township whole."""
        rows = self.filter(closing__plan__county_id=user.county_id or 0)
        if getattr(user, "sees_county", False):
            return rows
        return rows.filter(township_id__in=sorted(user.scope_places().townships))


class FileKind(models.TextChoices):
    """What an archived file is."""

    TOWNSHIP = "township", _("镇街台账")
    COUNTY = "county", _("全区汇总")
    PAPER = "paper", _("总结报告")


class ArchivedFile(AppendOnlyModel):
    """A file of the archive: sealed in storage under a name that says nothing, its plain bytes proved by ``sha256``.

    The row holds no resident's data; the file does, and opens only for who may read whole numbers.
    """

    closing = models.ForeignKey(
        SeasonClosing, on_delete=models.PROTECT, related_name="files", verbose_name=_("结账")
    )
    township = models.ForeignKey(
        Township, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("镇街")
    )
    kind = models.CharField(_("种类"), max_length=10, choices=FileKind)
    name = models.CharField(_("文件名"), max_length=120)
    stored_as = models.CharField(max_length=200)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size = models.BigIntegerField(_("字节数"))
    lines = models.IntegerField(_("行数"))
    made_at = models.DateTimeField(_("生成时间"), db_default=Now())

    objects = ArchivedFileQuerySet.as_manager()

    class Meta:
        verbose_name = _("归档文件")
        verbose_name_plural = _("归档文件")
        constraints = [
            models.UniqueConstraint(
                fields=["closing", "kind", "township"], name="archived_file_once", nulls_distinct=False
            )
        ]
