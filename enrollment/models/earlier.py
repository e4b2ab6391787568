"""What the register was told of years before the portal kept them itself."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from enrollment.models.plans import Insurance
from townships.models import PlacedModel


class PriorPayment(PlacedModel):
    """A payment of an earlier coverage year, from the tax side's file: who paid, how much, by which voucher.

    It belongs to whoever holds the number, in the register or not (the dead and the departed paid too), and stays in the
    place it was told for. No foreign key to a resident: the number finds her, also when she is registered later.
    """

    county_id = models.IntegerField(_("县区"))
    number_index = models.BinaryField()
    number_encrypted = models.BinaryField()
    name = models.CharField(_("姓名"), max_length=60)
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    coverage_year = models.IntegerField(_("保障年度"))
    amount = models.DecimalField(_("实缴金额"), max_digits=12, decimal_places=2)
    paid_on = models.DateField(_("缴费日期"), null=True, blank=True)
    voucher = models.CharField(_("税票号码"), max_length=40)
    batch = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("上年缴费")
        verbose_name_plural = _("上年缴费")
        constraints = [
            # In this order: a person's earlier payments are found by her number.
            models.UniqueConstraint(
                fields=["county_id", "number_index", "coverage_year", "insurance", "voucher"],
                name="prior_payment_voucher_once",
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="prior_payment_not_negative"),
        ]
