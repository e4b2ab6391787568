"""What somebody who has paid would owe today, where it is not what he paid: never silent (reading X27)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contributions.models.dues import Charge, yuan_field
from contributions.models.money import Payment, PaymentCase
from enrollment.models import CollectionPlan, Insurance, Registration, Resident
from townships.models import PlacedModel


class DifferenceCause(models.TextChoices):
    """Why the answer is another one than at the payment."""

    FACTS = "facts", _("缴费时的事实有更正")
    LATER = "later", _("缴费后身份有变化")
    AMENDMENT = "amendment", _("方案修订")
    DEATH = "death", _("待遇开始前死亡")
    NOT_ACCEPTED = "not_accepted", _("现在不应参保")


class DifferenceOutcome(models.TextChoices):
    """What happens about it."""

    KEEP = "keep", _("按缴费时的保留")
    COLLECT = "collect", _("补缴差额")
    REFUND = "refund", _("退差额")
    REVIEW = "review", _("人工复核")
    APPLY = "apply", _("更正，本人不补不退")
    RESTORE = "restore", _("改回缴费时的")


# Outcomes that leave the paid charge as it is: they stand until the answer is what was paid again.
LEFT_AS_PAID = (DifferenceOutcome.KEEP, DifferenceOutcome.REVIEW)
# Outcomes that put another version of the charge in its place.
CORRECTED = (
    DifferenceOutcome.COLLECT, DifferenceOutcome.REFUND, DifferenceOutcome.APPLY, DifferenceOutcome.RESTORE
)  # fmt: skip


class PaidDifference(PlacedModel):
    """A registration that is paid, and whose answer now is another: what was, what would be, and what happens.

    ``before`` is the charge as paid, ``after`` the answer; ``setting`` names the reading that decided. One stands for
    a registration; ``ended`` says why an earlier one no longer does.
    """

    registration = models.ForeignKey(
        Registration, on_delete=models.PROTECT, related_name="differences", verbose_name=_("参保登记")
    )
    resident = models.ForeignKey(
        Resident, on_delete=models.PROTECT, related_name="+", db_constraint=False, verbose_name=_("居民")
    )
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("方案"),
    )  # fmt: skip
    plan_version = models.SmallIntegerField(_("方案版本"))
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    coverage_year = models.IntegerField(_("保障年度"))
    cause = models.CharField(_("原因"), max_length=12, choices=DifferenceCause)
    outcome = models.CharField(_("怎么办"), max_length=8, choices=DifferenceOutcome)
    setting = models.CharField(_("依据的设置"), max_length=40, blank=True)
    amendment = models.BigIntegerField(null=True)
    charge_before = models.ForeignKey(
        Charge, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    charge_after = models.ForeignKey(
        Charge, on_delete=models.PROTECT, null=True, related_name="correction_of", db_constraint=False
    )
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("缴费"),
    )  # fmt: skip
    case = models.ForeignKey(
        PaymentCase, on_delete=models.PROTECT, null=True, related_name="differences", db_constraint=False,
        verbose_name=_("待处理事项"),
    )  # fmt: skip
    paid_on = models.DateField(_("缴费日期"))
    paid = yuan_field(_("已缴"))
    personal_before = yuan_field(_("缴费时个人缴"))
    personal_after = yuan_field(_("现在个人缴"))
    difference = yuan_field(_("相差"))
    government_before = yuan_field(_("缴费时政府代缴"))
    government_after = yuan_field(_("现在政府代缴"))
    benefit_start_before = models.DateField(_("缴费时待遇开始"), null=True)
    benefit_start_after = models.DateField(_("现在待遇开始"), null=True)
    reason_after = models.CharField(_("现在的结论"), max_length=40, blank=True)
    refund = yuan_field(_("应退"), default=0)
    owed = yuan_field(_("应补"), default=0)
    found_on = models.DateField(_("发现日期"))
    found_at = models.DateTimeField(_("记录时间"), db_default=Now())
    standing = models.BooleanField(_("现行"), default=True)
    ended = models.CharField(
        _("结束"), max_length=12, blank=True,
        choices=[("superseded", _("后来又有变化")), ("gone", _("已与缴费时一致")), ("restored", _("已改回"))],
    )  # fmt: skip

    class Meta:
        verbose_name = _("已缴差异")
        verbose_name_plural = _("已缴差异")
        constraints = [
            models.UniqueConstraint(
                fields=["registration"], condition=Q(standing=True), name="difference_one_standing"
            ),
            models.CheckConstraint(
                condition=Q(difference=F("personal_after") - F("personal_before")),
                name="difference_is_after_less_before",
            ),
            models.CheckConstraint(
                condition=Q(refund__gte=0, owed__gte=0) & (Q(refund=0) | Q(owed=0)),
                name="difference_refunds_or_collects",
            ),
        ]
        indexes = [
            models.Index(fields=["plan", "unit"], condition=Q(standing=True), name="difference_plan_unit")
        ]
