"""Who pays for residents: requests for government money, who an unnamed payer is, sponsors and their pledges."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contributions.models.dues import Charge, ChargeKind, yuan_field
from enrollment.models import CollectionPlan, Insurance, Registration
from foundation.scope.models import AppendOnlyModel
from townships.models import AgencyKind, PlacedModel, Role, Township, User


class FundingState(models.TextChoices):
    """The way of a request. What may follow what: ``contributions.rules.FUNDING_STEPS``."""

    DRAFT = "draft", _("草稿")
    SUBMITTED = "submitted", _("已报送")
    RETURNED = "returned", _("已退回")
    APPROVED = "approved", _("已审批")
    DISBURSED = "disbursed", _("已拨付")
    BILLED = "billed", _("已开单")
    SETTLED = "settled", _("已结算")
    WITHDRAWN = "withdrawn", _("已撤回")


# Requests whose money has been paid out.
PAID_OUT = (FundingState.DISBURSED, FundingState.BILLED, FundingState.SETTLED)


class FundingRequestQuerySet(models.QuerySet["FundingRequest"]):
    """Reads of requests."""

    def visible_to(self, user: Any) -> FundingRequestQuerySet:
        """Requests of the townships seen whole; a department sees those it certifies or applies for."""
        rows = self.filter(township_id__in=sorted(user.scope_places().townships))
        if user.role == Role.DEPARTMENT:
            kind = user.agency.kind if user.agency is not None else ""
            rows = rows.filter(Q(department=kind) | Q(applicant=kind))
        return rows


class FundingRequest(models.Model):
    """A request for the government-paid part (拨付申请): one payer, list, department, township and insurance.

    ``heads`` and ``amount`` are the count and the sum of its lines, written with them and never changed.
    """

    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", verbose_name=_("方案")
    )
    township = models.ForeignKey(Township, on_delete=models.PROTECT, related_name="+", verbose_name=_("镇街"))
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    list_code = models.CharField(_("名单"), max_length=60, blank=True)
    list_name = models.CharField(_("名单名称"), max_length=60, blank=True)
    list_kind = models.CharField(_("名单类别"), max_length=16, blank=True)
    department = models.CharField(_("认定部门"), max_length=24, choices=AgencyKind)
    department_name = models.CharField(_("认定部门名称"), max_length=60)
    applicant = models.CharField(_("申请单位"), max_length=24, choices=AgencyKind)
    joint = models.CharField(_("会同单位"), max_length=24, choices=AgencyKind, blank=True)
    payer = models.CharField(_("出资方"), max_length=40)
    serial = models.IntegerField(_("编号"))
    state = models.CharField(_("状态"), max_length=10, choices=FundingState, default=FundingState.DRAFT)
    heads = models.IntegerField(_("人数"))
    amount = yuan_field(_("金额"))
    payer_name = models.CharField(_("付款单位"), max_length=80, blank=True)
    account = models.CharField(_("付款账户"), max_length=60, blank=True)
    joined_on = models.DateField(_("会签日期"), null=True, blank=True)
    disbursed_on = models.DateField(_("拨付日期"), null=True, blank=True)
    voucher = models.CharField(_("拨款凭证号"), max_length=40, blank=True)
    billed_on = models.DateField(_("开单日期"), null=True, blank=True)
    bill = models.CharField(_("特殊缴费单据号"), max_length=40, blank=True)
    reason = models.CharField(_("退回原因"), max_length=200, blank=True)
    made_on = models.DateField(_("制单日期"))
    made_at = models.DateTimeField(_("制单时间"), db_default=Now())

    objects = FundingRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("拨付申请")
        verbose_name_plural = _("拨付申请")
        constraints = [
            models.UniqueConstraint(fields=["plan", "serial"], name="funding_serial_once"),
            models.CheckConstraint(condition=Q(heads__gt=0, amount__gt=0), name="funding_of_somebody"),
            models.CheckConstraint(
                condition=~Q(state__in=PAID_OUT) | Q(disbursed_on__isnull=False),
                name="funding_paid_out_on_a_day",
            ),
        ]
        indexes = [models.Index(fields=["plan", "state"], name="funding_plan_state")]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """As on the letter: 请款〔2023〕0007 号 (the plan's year and the serial within the plan)."""
        return str(_("请款〔%(year)s〕%(serial)04d 号")) % {
            "year": self.plan.coverage_year, "serial": self.serial,
        }  # fmt: skip


class FundingLine(PlacedModel):
    """A person of a request, with the share that is asked for. ``live`` until the request is withdrawn.

    A person's share of one payer stands in one live request at most, whichever version of the charge it is of.
    """

    request = models.ForeignKey(
        FundingRequest, on_delete=models.PROTECT, related_name="lines", verbose_name=_("拨付申请")
    )
    registration = models.ForeignKey(
        Registration, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("参保登记"),
    )  # fmt: skip
    charge = models.ForeignKey(
        Charge, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("应缴"),
    )  # fmt: skip
    payer = models.CharField(_("出资方"), max_length=40)
    rule = models.CharField(_("规则"), max_length=60)
    charge_kind = models.CharField(_("类别"), max_length=12, choices=ChargeKind)
    for_year = models.IntegerField(_("所属年度"))
    amount = yuan_field(_("金额"))
    live = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("请款明细")
        verbose_name_plural = _("请款明细")
        constraints = [
            models.UniqueConstraint(
                fields=["registration", "payer", "charge_kind", "for_year"],
                condition=Q(live=True),
                name="funding_line_asked_once",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="funding_line_positive"),
        ]


class FundingStep(AppendOnlyModel):
    """What was done with a request, by whom and when: the history of its states."""

    request = models.ForeignKey(
        FundingRequest, on_delete=models.PROTECT, related_name="steps", verbose_name=_("拨付申请")
    )
    act = models.CharField(_("操作"), max_length=12)
    to_state = models.CharField(_("状态"), max_length=10, choices=FundingState)
    by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("操作人")
    )
    at = models.DateTimeField(_("时间"), db_default=Now())
    on = models.DateField(_("日期"))
    note = models.CharField(_("说明"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("请款经过")
        verbose_name_plural = _("请款经过")

    def __str__(self) -> str:
        return f"{self.request_id} {self.act}"


class FundingDifference(PlacedModel, AppendOnlyModel):
    """Where the year's end finds a line to be otherwise than paid: ``difference`` is actual less paid.

    Negative is to be returned to the payer, positive to be claimed from it.
    """

    line = models.OneToOneField(
        FundingLine, on_delete=models.PROTECT, related_name="settled_as", verbose_name=_("请款明细")
    )
    cause = models.CharField(_("原因"), max_length=24)
    actual = yuan_field(_("应拨"))
    difference = yuan_field(_("差额"))

    class Meta:
        verbose_name = _("结算差额")
        verbose_name_plural = _("结算差额")
        constraints = [
            models.CheckConstraint(condition=~Q(difference=0), name="funding_difference_is_one"),
        ]


class PayerLevel(models.TextChoices):
    """Whose budget money comes from (E070: 分别列入市、镇街财政预算)."""

    COUNTY = "county", _("区（市）级财政")
    TOWNSHIP = "township", _("镇街财政")
    FUND = "fund", _("医疗救助资金")
    DEPARTMENT = "department", _("部门")


class PayerResolution(AppendOnlyModel):
    """Who a payer of a plan is: name, level and account, said by a finance clerk. The newest that fits holds.

    Without a township it holds for all of them, without a rule for every rule; the narrower stands before the wider.
    """

    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", verbose_name=_("方案")
    )
    payer = models.CharField(_("出资方"), max_length=40)
    township = models.ForeignKey(
        Township, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("镇街")
    )
    rule = models.CharField(_("规则"), max_length=60, blank=True)
    level = models.CharField(_("级次"), max_length=12, choices=PayerLevel)
    name = models.CharField(_("付款单位"), max_length=80)
    account = models.CharField(_("账户"), max_length=60, blank=True)
    basis = models.CharField(_("依据"), max_length=120, blank=True)
    by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("指定人")
    )
    at = models.DateTimeField(_("时间"), db_default=Now())

    class Meta:
        verbose_name = _("付款方指定")
        verbose_name_plural = _("付款方指定")
        indexes = [models.Index(fields=["plan", "payer"], name="resolution_plan_payer")]

    def __str__(self) -> str:
        return self.name


class SponsorKind(models.TextChoices):
    """Who may take over a resident's part of his own will (000 L135-139)."""

    EMPLOYER = "employer", _("用人单位")
    COLLECTIVE = "collective", _("村（居）集体经济组织")
    TOWNSHIP = "township", _("镇街")
    PERSON = "person", _("个人")
    OTHER = "other", _("其他单位")


class Sponsor(PlacedModel):
    """Somebody who pays residents' own parts for them: a payer of its own, never a category of the policy."""

    name = models.CharField(_("名称"), max_length=60)
    kind = models.CharField(_("类型"), max_length=12, choices=SponsorKind)
    made_at = models.DateTimeField(_("登记时间"), db_default=Now())

    class Meta:
        verbose_name = _("资助人")
        verbose_name_plural = _("资助人")
        constraints = [models.UniqueConstraint(fields=["unit", "name"], name="sponsor_name_once_per_unit")]

    def __str__(self) -> str:
        return self.name


class Pledge(PlacedModel):
    """What a sponsor promises to pay of one registration's own part; taken back while nothing is paid on it."""

    sponsor = models.ForeignKey(
        Sponsor, on_delete=models.PROTECT, related_name="pledges", verbose_name=_("资助人")
    )
    registration = models.ForeignKey(
        Registration, on_delete=models.PROTECT, related_name="pledges", verbose_name=_("参保登记")
    )
    amount = yuan_field(_("金额"))
    made_at = models.DateTimeField(_("登记时间"), db_default=Now())
    withdrawn_at = models.DateTimeField(_("撤回时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("资助")
        verbose_name_plural = _("资助")
        constraints = [
            models.UniqueConstraint(
                fields=["sponsor", "registration"],
                condition=Q(withdrawn_at=None),
                name="pledge_once_per_sponsor",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="pledge_positive"),
        ]
