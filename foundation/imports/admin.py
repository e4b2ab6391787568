"""Import batches and the rows that went back, to read; the way in is the import page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import Count, Min, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from foundation.imports.kinds import kinds_for
from foundation.imports.models import BatchState, ImportBatch, ReturnedRow
from foundation.imports.queries import open_lists
from foundation.office import ScopedModelAdmin, Waiting, waits_in_office


@admin.register(ImportBatch)
class ImportBatchAdmin(ScopedModelAdmin):
    """导入批次."""

    list_display = (
        "file_name", "kind", "state", "read_count", "new_count", "changed_count", "unchanged_count",
        "rejected_count", "uploaded_by", "uploaded_at",
    )  # fmt: skip
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("uploaded_by",)
    fields = (*list_display, "accepted_count", "applied_at", "reasons")
    readonly_fields = fields
    ordering = ("-pk",)


@admin.register(ReturnedRow)
class ReturnedRowAdmin(ScopedModelAdmin):
    """退回的行: row number and reason; the row itself stays sealed."""

    list_display = ("batch_name", "source_row", "message", "closed_at", "closed_reason")
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)
    list_select_related = ("batch",)
    fields = ("batch_name", "source_row", "message", "closed_at", "closed_reason")
    readonly_fields = fields
    search_fields = ("message",)
    search_help_text = gettext_lazy("错误原因里的字")
    ordering = ("-batch_id", "source_row")

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return queryset.filter(batch__in=ImportBatch.objects.visible_to(user))

    @admin.display(description=gettext_lazy("文件"))
    def batch_name(self, row: ReturnedRow) -> str:
        """The file it came in."""
        return row.batch.file_name


@waits_in_office
def rows_returned(user: Any, today: date) -> Iterator[Waiting]:
    """Rows sent back and not corrected yet: one line, however many lists; past the plan's deadline they are late."""
    lists = [each for each in open_lists(user, today) if each.batch.state == BatchState.APPLIED]
    if not lists:
        return
    late = sum(each.overdue for each in lists)
    note = _("%(n)s 份名单") % {"n": len(lists)} if len(lists) > 1 else f"{lists[0].title}，{lists[0].sender}"
    if late:
        note += _("，%(n)s 份过了期限") % {"n": late} if len(lists) > 1 else _("，过了期限")
    url = reverse("imports:returned")
    if len(lists) == 1:
        url += f"?batch={lists[0].batch.pk}"
    if not kinds_for(user) and not getattr(user, "audits_all_work", False):
        # Who only reads the office's lists has no page of files.
        url = reverse("admin:imports_returnedrow_changelist")
    yield Waiting(
        title=_("名单退回的行"), note=note, since=min(each.since for each in lists),
        count=sum(each.open for each in lists), unit=_("行"), url=url, button=_("看退回"),
    )  # fmt: skip


@waits_in_office
def batches_to_apply(user: Any, today: date) -> Iterator[Waiting]:
    """Files that were checked and wait for a decision."""
    found = (
        ImportBatch.objects.visible_to(user)
        .filter(state=BatchState.CHECKED)
        .aggregate(n=Count("pk"), since=Min("uploaded_at"))
    )
    if found["n"]:
        yield Waiting(
            title=_("名单检查完，还没入库"), since=found["since"], count=found["n"], unit=_("份"),
            url=reverse("imports:home"), button=_("去入库"),
        )  # fmt: skip
