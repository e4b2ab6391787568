"""Rosters (清册): a sealed, numbered, hashed version per unit. Sealed rows never change."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models import CollectionPlan, Insurance
from foundation.scope.models import AppendOnlyModel
from townships.models import PlacedModel, User


class RosterKind(models.TextChoices):
    """What a roster lists."""

    REFERENCE = "reference", _("缴费信息清册")
    LEVY = "levy", _("征收清册")
    PAYMENT = "payment", _("缴费清册")


class Roster(PlacedModel, AppendOnlyModel):
    """A version of a unit's roster. ``digest`` is SHA-256 over its canonical lines in order.

    ``insurance`` is empty on the paper of both; a roster of one insurance has numbers and versions of its own.
    """

    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", verbose_name=_("方案")
    )
    kind = models.CharField(_("类型"), max_length=10, choices=RosterKind)
    insurance = models.CharField(
        _("险种"), max_length=8, choices=Insurance, blank=True, default="", db_default=""
    )
    version = models.IntegerField(_("版本"))
    number = models.CharField(_("编号"), max_length=60, unique=True)
    as_of = models.DateField(_("截至日期"))
    digest = models.CharField(_("校验码"), max_length=64)
    line_count = models.IntegerField(_("人数"))
    household_count = models.IntegerField(_("户数"))
    totals = models.JSONField(_("合计"), default=dict)
    job_id = models.UUIDField(null=True)
    sealed_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("生成人")
    )
    sealed_at = models.DateTimeField(_("封存时间"), db_default=Now())

    class Meta:
        verbose_name = _("清册")
        verbose_name_plural = _("清册")
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "kind", "insurance", "unit", "version"], name="roster_version_once"
            )
        ]


class RosterLine(PlacedModel, AppendOnlyModel):
    """A person on a roster, as known when it was sealed (both insurances on one line)."""

    roster = models.ForeignKey(Roster, on_delete=models.PROTECT, related_name="lines", db_index=False)
    position = models.IntegerField(_("序号"))
    resident_id = models.BigIntegerField()
    household_number = models.CharField(_("户编号"), max_length=40)
    head_name = models.CharField(_("户主"), max_length=60)
    name = models.CharField(_("姓名"), max_length=60)
    relation = models.CharField(_("与户主关系"), max_length=20)
    number_index = models.BinaryField(null=True)
    number_encrypted = models.BinaryField(null=True)
    phone_encrypted = models.BinaryField(null=True)
    group_name = models.CharField(_("村组"), max_length=20)
    house_number = models.CharField(_("门牌号"), max_length=20)
    categories = models.CharField(_("人员类别"), max_length=120)
    age = models.SmallIntegerField(null=True)
    last_tier = models.DecimalField(_("上年档次"), max_digits=12, decimal_places=2, null=True)
    tier = models.DecimalField(_("养老档次"), max_digits=12, decimal_places=2, null=True)
    pension_personal = models.DecimalField(_("养老金额"), max_digits=12, decimal_places=2, null=True)
    medical_personal = models.DecimalField(_("医疗应缴"), max_digits=12, decimal_places=2, null=True)
    government_paid = models.DecimalField(_("资助额"), max_digits=12, decimal_places=2)
    personal = models.DecimalField(_("个人缴"), max_digits=12, decimal_places=2)
    pension_paid = models.DecimalField(_("养老已缴"), max_digits=12, decimal_places=2, null=True)
    medical_paid = models.DecimalField(_("医疗已缴"), max_digits=12, decimal_places=2, null=True)
    paid = models.DecimalField(_("已缴"), max_digits=12, decimal_places=2)
    paid_on = models.DateField(_("缴费日期"), null=True)
    means = models.CharField(_("缴费方式"), max_length=20)
    medical_voucher = models.CharField(_("医疗凭证号"), max_length=40, blank=True)
    pension_voucher = models.CharField(_("养老凭证号"), max_length=40, blank=True)
    is_new = models.BooleanField(_("新参保"), default=False)
    note = models.CharField(_("备注"), max_length=120)

    class Meta:
        verbose_name = _("清册明细")
        verbose_name_plural = _("清册明细")
        constraints = [
            models.UniqueConstraint(fields=["roster", "position"], name="roster_line_position_once")
        ]
