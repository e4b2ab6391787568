"""Rules as rows, and the departments' lists a plan asks for, as they were received."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models import Category, CollectionPlan, Insurance
from townships.models import Township


class Rule(models.Model):
    """A rule (规则) of a plan. Every rule cites its clause."""

    id = models.AutoField(primary_key=True)
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.CASCADE, related_name="rules", verbose_name=_("方案")
    )
    code = models.CharField(_("代码"), max_length=60)
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance, blank=True)
    kind = models.CharField(_("类型"), max_length=30)
    position = models.IntegerField(_("顺序"), default=0)
    name = models.CharField(_("名称"), max_length=120, blank=True)
    condition = models.JSONField(_("条件"), default=dict)
    effect = models.JSONField(_("结果"), default=dict)
    shares = models.JSONField(_("分担"), default=list)
    clause = models.TextField(_("条文"))
    lines = models.CharField(_("行"), max_length=40)

    class Meta:
        verbose_name = _("规则")
        verbose_name_plural = _("规则")
        constraints = [
            models.UniqueConstraint(fields=["plan", "code"], name="rule_code_once_per_plan"),
            models.CheckConstraint(condition=~Q(clause=""), name="rule_cites_its_clause"),
        ]

    def __str__(self) -> str:
        return self.name or self.code


class ListDeliveryQuerySet(models.QuerySet["ListDelivery"]):
    """Reads of what was received."""

    def visible_to(self, user: Any) -> ListDeliveryQuerySet:
        """What the county's offices received, for the county; what a township received, for it and for the county.

        A department sees what became of its own lists.
        """
        county = self.filter(plan__county_id=user.county_id)
        if user.sees_all_work:
            return county
        if user.sees_county:
            return county.filter(agency_kind=user.agency.kind) if user.agency is not None else county.none()
        return county.filter(Q(township=None) | Q(township_id__in=sorted(user.scope_places().townships)))

    def standing(self) -> ListDeliveryQuerySet:
        """Not taken back."""
        return self.filter(withdrawn_at=None)


class ListDelivery(models.Model):
    """A department's list as an office received it (名单报送): on which day, and in which form.

    ``kind`` is the kind of file it comes in as, ``category`` the group it lists. A mistake is taken back, not deleted.
    """

    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="list_deliveries", verbose_name=_("方案")
    )
    kind = models.CharField(_("名单"), max_length=30, default="category")
    category = models.ForeignKey(
        Category,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("特殊群体"),
    )
    agency_kind = models.CharField(_("报送部门"), max_length=24, blank=True)
    township = models.ForeignKey(
        Township,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("收件镇街"),
    )
    received_on = models.DateField(_("收到日期"))
    electronic = models.BooleanField(_("电子版"), default=False)
    paper = models.BooleanField(_("纸质版"), default=False)
    sealed = models.BooleanField(_("盖章"), default=False)
    note = models.CharField(_("备注"), max_length=120, blank=True)
    noted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("登记人"),
    )
    noted_at = models.DateTimeField(_("登记时间"), db_default=Now())
    withdrawn_at = models.DateTimeField(_("撤销时间"), null=True, blank=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("撤销人"),
    )  # fmt: skip

    objects = ListDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("名单报送")
        verbose_name_plural = _("名单报送")
        constraints = [
            models.CheckConstraint(
                condition=Q(electronic=True) | Q(paper=True), name="list_delivery_in_some_form"
            ),
            models.CheckConstraint(
                condition=Q(sealed=False) | Q(paper=True), name="list_delivery_seal_on_paper"
            ),
        ]
