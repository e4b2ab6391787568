"""Assessments and charges: the evaluator's answer, and what a registration owes."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models import CollectionPlan, Insurance, Registration, Resident
from townships.models import PlacedModel


class Decision(models.TextChoices):
    """The evaluator's answer for a resident and an insurance."""

    ACCEPT = "accept", _("应参保")
    HOLD = "hold", _("未到缴费期")
    REFER = "refer", _("转部门核定")
    REFUSE = "refuse", _("不在参保范围")
    AMOUNT_NOT_CONFIGURED = "amount_not_configured", _("待录入标准")


# 应参保 in scope, by the definition of SCREENS.md.
IN_SCOPE = (Decision.ACCEPT, Decision.HOLD, Decision.AMOUNT_NOT_CONFIGURED)


def yuan_field(label: Any, **options: Any) -> models.DecimalField[Any, Any]:
    """Yuan with two places."""
    return models.DecimalField(label, max_digits=12, decimal_places=2, **options)


class Priced(PlacedModel):
    """The columns of an evaluator's answer."""

    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("方案"),
    )  # fmt: skip
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    coverage_year = models.IntegerField(_("保障年度"))
    age = models.SmallIntegerField(_("年龄"), null=True, help_text=_("方案基准日的周岁"))
    decision = models.CharField(_("结论"), max_length=24, choices=Decision)
    reason = models.CharField(_("原因"), max_length=40, blank=True)
    timing = models.CharField(_("时段"), max_length=16, blank=True)
    personal_amount = yuan_field(_("个人缴"), default=0)
    government_paid_amount = yuan_field(_("政府代缴"), default=0)
    fiscal_subsidy_amount = yuan_field(_("财政补助"), default=0)
    pension_government_subsidy = yuan_field(_("养老政府补贴"), default=0)
    family_planning_subsidy = yuan_field(_("计生补贴"), default=0)
    total_amount = yuan_field(_("总额"), default=0)
    standard_code = models.CharField(_("标准规则"), max_length=60, blank=True)
    waiver_code = models.CharField(_("代缴规则"), max_length=60, blank=True)
    subsidy_code = models.CharField(_("补贴规则"), max_length=60, blank=True)
    family_code = models.CharField(_("计生规则"), max_length=60, blank=True)
    decision_code = models.CharField(_("结论规则"), max_length=60, blank=True)
    benefit_start = models.DateField(_("待遇开始"), null=True)
    benefit_end = models.DateField(_("待遇结束"), null=True)
    warnings = ArrayField(models.CharField(max_length=40), default=list, verbose_name=_("提示"))
    priced_on = models.DateField(_("计价日期"))
    plan_version = models.SmallIntegerField(_("方案版本"), default=1, db_default=1)

    class Meta:
        abstract = True


class Assessment(Priced):
    """The current answer for a resident, insurance and coverage year, registered or not."""

    resident = models.ForeignKey(
        Resident, on_delete=models.PROTECT, related_name="assessments", db_constraint=False, db_index=False,
        verbose_name=_("居民"),
    )  # fmt: skip

    class Meta:
        verbose_name = _("核定")
        verbose_name_plural = _("核定")
        constraints = [
            models.UniqueConstraint(
                fields=["resident", "insurance", "coverage_year"], name="assessment_one_current"
            )
        ]
        indexes = [models.Index(fields=["plan", "insurance", "unit"], name="assessment_plan_unit")]


class ChargeKind(models.TextChoices):
    """Why a registration owes."""

    ORDINARY = "ordinary", _("正常")
    LATE = "late", _("逾期")
    CORRECTION = "correction", _("更正")
    REPAIR = "repair", _("修复")
    BACK_PAYMENT = "back_payment", _("补缴")
    NEWBORN = "newborn", _("新生儿")


class Charge(Priced):
    """What a registration owes: a version is never edited, a new one takes its place (``current``)."""

    registration = models.ForeignKey(
        Registration,
        on_delete=models.PROTECT,
        related_name="charges",
        verbose_name=_("参保登记"),
    )
    resident = models.ForeignKey(
        Resident,
        on_delete=models.PROTECT,
        related_name="charges",
        db_constraint=False,
        verbose_name=_("居民"),
    )
    household_id = models.BigIntegerField(null=True)
    kind = models.CharField(_("类别"), max_length=12, choices=ChargeKind, default=ChargeKind.ORDINARY)
    for_year = models.IntegerField(_("所属年度"))
    version = models.IntegerField(_("版本"), default=1)
    current = models.BooleanField(_("现行"), default=True)
    tier = yuan_field(_("档次"), null=True)
    created_at = models.DateTimeField(_("生成时间"), db_default=Now())

    class Meta:
        verbose_name = _("应缴")
        verbose_name_plural = _("应缴")
        constraints = [
            models.UniqueConstraint(
                fields=["registration", "kind", "for_year"],
                condition=Q(current=True),
                name="charge_one_current",
            ),
            models.CheckConstraint(
                condition=Q(
                    total_amount=F("personal_amount")
                    + F("government_paid_amount")
                    + F("fiscal_subsidy_amount")
                )
                & Q(personal_amount__gte=0)
                & Q(government_paid_amount__gte=0)
                & Q(fiscal_subsidy_amount__gte=0),
                name="charge_parts_add_up",
            ),
        ]
        indexes = [models.Index(fields=["unit", "plan", "insurance"], name="charge_unit_plan")]


class ChargeShare(PlacedModel):
    """A payer's share of the government-paid part of a charge."""

    charge = models.ForeignKey(
        Charge, on_delete=models.PROTECT, related_name="shares", verbose_name=_("应缴")
    )
    payer = models.CharField(_("出资方"), max_length=40)
    amount = yuan_field(_("金额"))
    rule = models.CharField(_("规则"), max_length=60)

    class Meta:
        verbose_name = _("代缴分担")
        verbose_name_plural = _("代缴分担")
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="charge_share_positive")]


class FigureRebuild(models.Model):
    """A note that the figures of a plan must be counted anew (after an assessment or an import)."""

    plan = models.ForeignKey(CollectionPlan, on_delete=models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(db_default=Now())
