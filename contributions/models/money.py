"""Money handed over, and what the tax side says of it. Insert only; balances are derived."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contributions.models.dues import Charge, yuan_field
from enrollment.models import CollectionPlan, Insurance, Registration
from foundation.scope.models import AppendOnlyModel
from townships.models import Device, PlacedModel, User


class Route(models.TextChoices):
    """Where money was handed over; a waiver may hold for some routes only."""

    VILLAGE = "village", _("村居代收")
    TOWNSHIP_OFFICE = "township_hr_office", _("镇街窗口")
    ONLINE = "online", _("网上自缴")
    GOVERNMENT = "government", _("政府代缴")


class Means(models.TextChoices):
    """How it was paid."""

    CASH = "cash", _("现金")
    POS = "pos", _("POS 刷卡")
    QR = "qr", _("扫码")
    TRANSFER = "transfer", _("转账")


class Payment(PlacedModel, AppendOnlyModel):
    """One handing over of money. Money once taken is always stored, whatever is wrong with it.

    ``amount`` columns are negative on a reversal, which is a row of its own and reverses once.
    """

    client_uuid = models.UUIDField(unique=True)
    body_digest = models.CharField(max_length=64)
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("方案")
    )
    household_id = models.BigIntegerField(null=True)
    payer_name = models.CharField(_("缴款人"), max_length=60, blank=True)
    paid_for_others = models.BooleanField(_("代扫"), default=False)
    route = models.CharField(_("渠道"), max_length=20, choices=Route)
    means = models.CharField(_("方式"), max_length=10, choices=Means)
    channel = models.CharField(_("缴费渠道"), max_length=20, blank=True)
    device = models.ForeignKey(
        Device, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("设备")
    )
    sequence = models.BigIntegerField(null=True)
    recorded_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("记录人")
    )
    handed_over_at = models.DateTimeField(_("缴款时间"))
    paid_on = models.DateField(_("缴费日期"))
    received = yuan_field(_("收到"))
    allocated = yuan_field(_("记入"))
    excess = yuan_field(_("多收"))
    reverses = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="reversal", verbose_name=_("冲销")
    )
    reason = models.CharField(_("原因"), max_length=200, blank=True)
    recorded_at = models.DateTimeField(_("记录时间"), db_default=Now())

    class Meta:
        verbose_name = _("缴费")
        verbose_name_plural = _("缴费")
        constraints = [
            models.CheckConstraint(
                condition=Q(received=F("allocated") + F("excess")),
                name="payment_received_is_lines_and_excess",
            ),
            models.CheckConstraint(
                condition=Q(reverses=None, received__gte=0, excess__gte=0)
                | Q(reverses__isnull=False, received__lte=0, excess__lte=0),
                name="payment_negative_only_as_reversal",
            ),
        ]
        indexes = [models.Index(fields=["unit", "paid_on"], name="payment_unit_day")]

    @property
    def slip_number(self) -> str:
        """The number on the slip: ten digits of the row, in order of arrival."""
        return f"{self.pk:010d}"


class LinePart(models.TextChoices):
    """Which part of a charge a payment line pays: the resident's own, by himself or a sponsor, or the government's.

    What a resident has paid of his own part is the sum of the first two; government money never counts there.
    """

    PERSONAL = "personal", _("个人缴")
    SPONSOR = "sponsor", _("资助人代付")
    GOVERNMENT = "government", _("政府代缴")


# The parts that pay what the resident owes.
OWN_PARTS = (LinePart.PERSONAL, LinePart.SPONSOR)


class PaymentLine(PlacedModel, AppendOnlyModel):
    """A part of a payment for one registration, with the charge version that was quoted."""

    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, related_name="lines", verbose_name=_("缴费")
    )
    registration = models.ForeignKey(
        Registration, on_delete=models.PROTECT, related_name="payment_lines", verbose_name=_("参保登记")
    )
    charge = models.ForeignKey(
        Charge, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("应缴")
    )
    charge_version = models.IntegerField(_("应缴版本"))
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    tier = yuan_field(_("档次"), null=True)
    amount = yuan_field(_("金额"))
    part = models.CharField(_("付的是"), max_length=10, choices=LinePart, db_default=LinePart.PERSONAL)
    funding_line = models.ForeignKey(
        "contributions.FundingLine", on_delete=models.PROTECT, null=True, related_name="payment_lines",
        db_constraint=False, db_index=False, verbose_name=_("请款明细"),
    )  # fmt: skip
    pledge = models.ForeignKey(
        "contributions.Pledge", on_delete=models.PROTECT, null=True, related_name="payment_lines",
        db_constraint=False, db_index=False, verbose_name=_("资助"),
    )  # fmt: skip

    class Meta:
        verbose_name = _("缴费明细")
        verbose_name_plural = _("缴费明细")
        constraints = [
            # A line that was asked for is paid once, whoever retries; a sponsor may pay a pledge in instalments.
            models.UniqueConstraint(
                fields=["funding_line"],
                condition=Q(funding_line__isnull=False),
                name="payment_line_of_funding_once",
            ),
            models.CheckConstraint(
                condition=Q(part="government", funding_line__isnull=False, pledge=None)
                | Q(part="sponsor", funding_line=None, pledge__isnull=False)
                | Q(part="personal", funding_line=None, pledge=None),
                name="payment_line_part_has_its_source",
            ),
        ]
        indexes = [
            models.Index(fields=["pledge"], condition=Q(pledge__isnull=False), name="payment_line_pledge"),
        ]


class CaseKind(models.TextChoices):
    """What is wrong with money that was taken, or with what the tax side says."""

    UUID_REUSED = "uuid_reused", _("同一编号内容不同")
    EXCESS = "excess", _("多收")
    ALREADY_PAID = "already_paid", _("重复缴费")
    AMOUNT_DIFFERS = "amount_differs", _("金额与应缴不符")
    PRICE_CHANGED = "price_changed", _("应缴已变更")
    DECEASED = "deceased", _("已死亡")
    LEFT = "left", _("缴费后退出")
    TIER_ASKED = "tier_asked", _("缴费后要改档")
    NOT_ACCEPTED = "not_accepted", _("不应参保")
    OUTSIDE_WINDOW = "outside_window", _("不在缴费期")
    MEANS_NOT_ALLOWED = "means_not_allowed", _("方案不收这种方式")
    NOT_REGISTERED = "not_registered", _("没有参保登记")
    CONTRADICTED = "contradicted", _("与税务回传不符")
    REFUND_DUE = "refund_due", _("应退差额")
    PAID_DIFFERS = "paid_differs", _("缴费后核定有变")
    NOT_DISBURSED = "not_disbursed", _("代缴已开票未拨付")


class PaymentCase(PlacedModel):
    """Something to settle about money that is stored; it ends in a refund, an allocation or an explanation."""

    kind = models.CharField(_("类别"), max_length=20, choices=CaseKind)
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, related_name="cases", verbose_name=_("缴费")
    )
    registration = models.ForeignKey(
        Registration, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("参保登记")
    )
    amount = yuan_field(_("金额"), default=0)
    detail = models.JSONField(_("情况"), default=dict)
    state = models.CharField(
        _("状态"), max_length=10, default="open", choices=[("open", _("待处理")), ("closed", _("已处理"))]
    )
    outcome = models.CharField(_("处理结果"), max_length=200, blank=True)
    opened_at = models.DateTimeField(_("发现时间"), db_default=Now())
    closed_at = models.DateTimeField(_("处理时间"), null=True)

    class Meta:
        verbose_name = _("待处理事项")
        verbose_name_plural = _("待处理事项")
        indexes = [models.Index(fields=["unit", "state"], name="case_unit_state")]


class TaxEntry(PlacedModel):
    """A line of the tax bureau's results: 开票日, 入库日, voucher. It confirms one payment line at most."""

    batch = models.BigIntegerField()
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    registration = models.ForeignKey(
        Registration,
        on_delete=models.PROTECT,
        null=True,
        related_name="tax_entries",
        verbose_name=_("参保登记"),
    )
    payment_line = models.OneToOneField(
        PaymentLine, on_delete=models.PROTECT, null=True, related_name="tax_entry", verbose_name=_("缴费明细")
    )
    number_index = models.BinaryField(null=True)
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    coverage_year = models.IntegerField(_("保障年度"))
    amount = yuan_field(_("实缴金额"))
    invoiced_on = models.DateField(_("开票日期"))
    settled_on = models.DateField(_("入库日期"), null=True, blank=True)
    voucher = models.CharField(_("电子税票号码"), max_length=40)
    channel = models.CharField(_("缴费渠道"), max_length=20, blank=True)
    of_government = models.BooleanField(_("政府代缴"), default=False, db_default=False)

    class Meta:
        verbose_name = _("税务回传")
        verbose_name_plural = _("税务回传")
        constraints = [models.UniqueConstraint(fields=["plan", "voucher"], name="tax_entry_voucher_once")]


class FigureDelta(models.Model):
    """What one payment or confirmation adds to a unit's figures; folded every two seconds, then gone."""

    plan_id = models.IntegerField()
    township_id = models.IntegerField()
    unit_id = models.IntegerField()
    insurance = models.CharField(max_length=8)
    band = models.CharField(max_length=8)
    day = models.DateField()
    paid = models.IntegerField(default=0)
    paid_amount = yuan_field("", default=0)
    confirmed = models.IntegerField(default=0)
    confirmed_amount = yuan_field("", default=0)
    settled_amount = yuan_field("", default=0)
    disbursed = models.IntegerField(default=0, db_default=0)
    disbursed_amount = yuan_field("", default=0, db_default=0)
