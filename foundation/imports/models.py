"""One file's way in: batch, remembered header mapping, rows returned to their sender."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from foundation.imports.senders import desk_of
from foundation.scope.models import ScopedModel


class BatchState(models.TextChoices):
    """received → checked → applied, or abandoned; an applied batch may be undone."""

    RECEIVED = "received", _("已收到")
    CHECKED = "checked", _("已检查")
    APPLIED = "applied", _("已入库")
    ABANDONED = "abandoned", _("已放弃")
    UNDONE = "undone", _("已撤销")


class BatchQuerySet(models.QuerySet["ImportBatch"]):
    """Reads of batches."""

    def visible_to(self, user: Any) -> BatchQuerySet:
        """A person's own files and those of her desk; county offices see those of their county."""
        if getattr(user, "sees_all_work", False):
            return self.filter(county_code=user.county_code)
        own = Q(uploaded_by=user)
        if desk := desk_of(user):
            own |= Q(sender=desk)
        return self.filter(own)


class ImportBatch(models.Model):
    """A file (or several of one kind): hash, mapping, counts. A batch applies once."""

    kind = models.CharField(_("类型"), max_length=30)
    county_code = models.CharField(_("县区"), max_length=12)
    plan_code = models.CharField(_("方案"), max_length=40, blank=True)
    category_code = models.CharField(_("特殊群体"), max_length=40, blank=True)
    full_list = models.BooleanField(_("全量"), default=False)
    file_name = models.CharField(_("文件名"), max_length=120)
    sha256 = models.CharField(max_length=64)
    sender = models.CharField(
        _("报送单位"), max_length=120, blank=True, db_default="",
        help_text="Whose file it is: an agency, else a post with its places. Corrections find the rows sent back to it.",
    )  # fmt: skip
    mapping = models.JSONField(_("列对应"), default=dict)
    state = models.CharField(_("状态"), max_length=10, choices=BatchState, default=BatchState.RECEIVED)
    read_count = models.IntegerField(_("读入"), default=0)
    accepted_count = models.IntegerField(_("可入库"), default=0)
    new_count = models.IntegerField(_("新增"), default=0)
    changed_count = models.IntegerField(_("变更"), default=0)
    unchanged_count = models.IntegerField(_("无变化"), default=0)
    rejected_count = models.IntegerField(_("退回"), default=0)
    reasons = models.JSONField(_("退回原因"), default=dict)
    summary = models.JSONField(default=dict)
    findings_stored_as = models.CharField(max_length=200, blank=True, db_default="")
    job_id = models.UUIDField(null=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("经办人"),
    )
    uploaded_at = models.DateTimeField(_("上传时间"), db_default=Now())
    applied_at = models.DateTimeField(_("入库时间"), null=True, blank=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("导入批次")
        verbose_name_plural = _("导入批次")
        indexes = [models.Index(fields=["county_code", "kind"], name="import_batch_kind")]

    @property
    def is_open(self) -> bool:
        """Whether it can still be checked, applied or abandoned."""
        return self.state in {BatchState.RECEIVED, BatchState.CHECKED}


class ImportFile(models.Model):
    """One file of a batch, kept encrypted under a name that says nothing about it."""

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="files")
    position = models.SmallIntegerField()
    name = models.CharField(_("文件名"), max_length=120)
    size = models.BigIntegerField(_("字节数"), default=0)
    sha256 = models.CharField(max_length=64)
    stored_as = models.CharField(max_length=200, blank=True)
    table = models.JSONField(default=dict, help_text="Headers, their fields and masked samples, as found.")
    left_out = models.JSONField(default=list, help_text="Names of sheets that are not to be read.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "position"], name="import_file_position_once")
        ]


class ImportChange(ScopedModel):
    """What a row held before a batch changed it, so that the batch can be taken back whole."""

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="changes")
    relation = models.CharField(max_length=63)
    row_id = models.BigIntegerField()
    township_id = models.IntegerField()
    unit_id = models.IntegerField()
    before = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["relation", "row_id"], name="import_change_row")]


class ImportFinding(models.Model):
    """What a check showed before anything was written: one kind of change, ending or contradiction, with a few examples.

    The examples are masked; all of them stand, masked too, in the batch's workbook (``ImportBatch.findings_stored_as``).
    """

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="findings")
    position = models.SmallIntegerField()
    section = models.CharField(max_length=40)
    count = models.IntegerField()
    sample = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "section"], name="import_finding_section_once")
        ]


class ImportMapping(models.Model):
    """The header mapping an agency confirmed for a kind, offered again next time."""

    kind = models.CharField(max_length=30)
    sender = models.CharField(max_length=120)
    headers_digest = models.CharField(max_length=64)
    mapping = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "sender", "headers_digest"], name="import_mapping_once")
        ]


class ToldHow(models.TextChoices):
    """How the person concerned was told."""

    PHONE = "phone", _("电话")
    VISIT = "visit", _("上门")
    MESSAGE = "message", _("短信或微信")
    VILLAGE = "village", _("村里转告")
    OTHER = "other", _("其他")


class ReturnedRowQuerySet(models.QuerySet["ReturnedRow"]):
    """Reads of returned rows."""

    def sent_by(self, user: Any) -> ReturnedRowQuerySet:
        """Rows of the files a person sees: what went back to her."""
        return self.filter(batch__in=ImportBatch.objects.visible_to(user))

    def visible_to(self, user: Any) -> ReturnedRowQuerySet:
        """Those, and for a township's clerk also the rows of others' files that name her township."""
        own = Q(batch__in=ImportBatch.objects.visible_to(user))
        if getattr(user, "follows_lists", False):
            own |= Q(township_id__in=sorted(user.scope_places().townships))
        return self.filter(own)

    def waiting(self) -> ReturnedRowQuerySet:
        """Open, of files that were checked or applied; a file taken back or dropped asks for nothing."""
        return self.filter(closed_at=None, batch__state__in=(BatchState.CHECKED, BatchState.APPLIED))


class ReturnedRow(models.Model):
    """A row sent back, open until it is corrected or closed with a reason. The row itself is kept encrypted.

    ``code`` is what was found first and what the row is listed under; ``faults`` is all that was found.
    """

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="returned_rows")
    file = models.SmallIntegerField(_("第几个文件"), default=0)
    source_row = models.IntegerField(_("行号"))
    code = models.CharField(_("原因代码"), max_length=40)
    message = models.TextField(
        _("错误原因"), help_text="Everything that is wrong with the row, as its sender reads it."
    )
    faults = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        help_text="[code, field] of each thing wrong; without a field the code says which it is.",
    )
    row_encrypted = models.BinaryField(null=True, help_text="Name and number as the sender wrote them.")
    person_index = models.BinaryField(
        null=True,
        help_text="Blind index of whom or what the row is about; null when its number cannot be read.",
    )
    part = models.CharField(
        max_length=40, null=True,
        help_text="Which of several rows about one person: an insurance, a group. Null when the row does not say.",
    )  # fmt: skip
    township_id = models.IntegerField(
        _("镇街"), null=True, blank=True, help_text="The township the row names, where its place is known."
    )
    told_on = models.DateField(_("告知日期"), null=True, blank=True)
    told_how = models.CharField(_("告知方式"), max_length=10, choices=ToldHow, blank=True, db_default="")
    told_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("告知人"),
    )  # fmt: skip
    closed_at = models.DateTimeField(_("处理时间"), null=True, blank=True)
    closed_reason = models.CharField(_("处理结果"), max_length=120, blank=True, db_default="")
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("处理人"),
    )  # fmt: skip
    closed_by_batch = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="The batch whose row took its place; undoing that batch opens it again.",
    )

    objects = ReturnedRowQuerySet.as_manager()

    class Meta:
        verbose_name = _("退回行")
        verbose_name_plural = _("退回行")
        indexes = [
            models.Index(fields=["batch"], condition=Q(closed_at=None), name="returned_row_open"),
            models.Index(
                fields=["closed_by_batch"],
                condition=Q(closed_by_batch__isnull=False),
                name="returned_row_closer",
            ),
            models.Index(fields=["township_id"], condition=Q(closed_at=None), name="returned_row_township"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(told_on=None, told_how="") | Q(told_on__isnull=False) & ~Q(told_how=""),
                name="returned_row_told_how",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None, closed_reason="")
                | Q(closed_at__isnull=False) & ~Q(closed_reason=""),
                name="returned_row_closed_why",
            ),
        ]
