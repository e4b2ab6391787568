"""Lines of bank statements: what arrived on the institutions' accounts. Insert only."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contributions.models.dues import yuan_field
from foundation.scope.models import AppendOnlyModel
from townships.models import County


class BankEntryQuerySet(models.QuerySet["BankEntry"]):
    """Reads of statement lines."""

    def visible_to(self, user: Any) -> BankEntryQuerySet:
        """Lines of the county's accounts, for those who see the county: an account is nobody's township."""
        if not getattr(user, "sees_all_work", False):
            return self.none()
        return self.filter(county_id=user.county_id)


class BankEntry(AppendOnlyModel):
    """A line of a statement, by account and serial; money in or out, never both. What it pays for is matched elsewhere."""

    county = models.ForeignKey(
        County, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("县区")
    )
    account = models.CharField(_("账号"), max_length=40, blank=True, help_text=_("空表示文件没有写账号"))
    serial = models.CharField(_("流水号"), max_length=60)
    booked_on = models.DateField(_("交易日期"))
    amount_in = yuan_field(_("收入"), default=0)
    amount_out = yuan_field(_("支出"), default=0)
    balance = yuan_field(_("余额"), null=True)
    payments = models.IntegerField(_("笔数"), null=True)
    summary = models.CharField(_("摘要"), max_length=200, blank=True)
    counterparty = models.CharField(_("对方户名"), max_length=80, blank=True)
    batch = models.BigIntegerField(null=True)
    recorded_at = models.DateTimeField(_("记录时间"), db_default=Now())

    objects = BankEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("银行流水")
        verbose_name_plural = _("银行流水")
        constraints = [
            models.UniqueConstraint(fields=["county", "account", "serial"], name="bank_entry_serial_once"),
            models.CheckConstraint(
                condition=Q(amount_in__gte=0, amount_out__gte=0) & (Q(amount_in=0) | Q(amount_out=0)),
                name="bank_entry_in_or_out",
            ),
        ]
        indexes = [models.Index(fields=["county", "booked_on"], name="bank_entry_day")]
