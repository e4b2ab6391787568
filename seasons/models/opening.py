"""A year opened from another, and the people somebody has to look at because of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models import CollectionPlan, Insurance, Registration, Resident
from townships.models import PlacedModel, User


class SeasonOpening(models.Model):
    """A plan's year opened (开启年度) from last year's plan, or from imported payments where ``source`` is empty."""

    id = models.AutoField(primary_key=True)
    plan = models.OneToOneField(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", verbose_name=_("新年度方案")
    )
    source = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("上年方案")
    )
    opened_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("开启人")
    )
    opened_at = models.DateTimeField(_("开启时间"), db_default=Now())

    class Meta:
        verbose_name = _("年度开启")
        verbose_name_plural = _("年度开启")


class Reason(models.TextChoices):
    """Why a person of last year has to be looked at. The first group is not carried over until somebody says so."""

    DECEASED = "deceased", _("已死亡")
    EMPLOYEE_MEDICAL = "employee_medical", _("已参加职工医保")
    EMPLOYEE_PENSION = "employee_pension", _("已参加职工养老")
    NOT_IN_SCOPE = "not_in_scope", _("不在参保范围")
    IN_SCHOOL = "in_school", _("在校学生")
    AGE_60_OR_MORE = "age_60_or_more", _("已满60周岁")
    LEFT = "left", _("已迁出本县区")

    NEW_SIXTEEN = "new_sixteen", _("新满16周岁")
    LEFT_SCHOOL = "left_school", _("已离校")

    NEW_SIXTY = "new_sixty", _("新满60周岁")
    LAPSED_CATEGORY = "lapsed_category", _("特殊群体身份到期")
    MOVED = "moved", _("换了村居")
    CLOSED_LAST_YEAR = "closed_last_year", _("上年已销号")
    MISSED_LAST_YEAR = "missed_last_year", _("上年未缴")
    ENROLLED_ELSEWHERE = "enrolled_elsewhere", _("上年在异地参保")
    TIER_GONE = "tier_gone", _("新方案没有这个档次")
    TIER_100_NOT_ALLOWED = "tier_100_not_allowed", _("不能再选100元档")


class Decision(models.TextChoices):
    """What somebody said: carried over after all (or kept), left out, or settled elsewhere."""

    CARRY = "carry", _("结转")
    LEAVE_OUT = "leave_out", _("不结转")
    DONE = "done", _("已处理")


class Confirmation(PlacedModel):
    """A person and insurance to confirm (待确认) for one reason, at the place where the person lives now.

    ``carried``: there is a registration of the new year. ``registration_before`` is last year's, NULL where there was
    none. ``detail`` holds the evidence: codes, dates, amounts, never names.
    """

    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("方案"),
    )  # fmt: skip
    resident = models.ForeignKey(
        Resident, on_delete=models.PROTECT, related_name="+", db_constraint=False, verbose_name=_("居民")
    )
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    reason = models.CharField(_("原因"), max_length=24, choices=Reason)
    carried = models.BooleanField(_("已结转"))
    registration_before = models.ForeignKey(
        Registration,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    detail = models.JSONField(_("依据"), default=dict)
    decision = models.CharField(_("处理"), max_length=10, choices=Decision, blank=True, default="")
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("处理人")
    )
    decided_at = models.DateTimeField(_("处理时间"), null=True)

    class Meta:
        verbose_name = _("待确认人员")
        verbose_name_plural = _("待确认人员")
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "resident", "insurance", "reason"], name="confirmation_once_per_reason"
            ),
            models.CheckConstraint(
                condition=Q(decision="", decided_at=None) | ~Q(decision="") & Q(decided_at__isnull=False),
                name="confirmation_decided_with_time",
            ),
        ]
        indexes = [models.Index(fields=["plan", "reason", "unit"], name="confirmation_plan_reason")]
