"""Whose facts changed since the last assessment: the queue that no change of the register passes by."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models.register import Resident
from townships.models import PlacedModel


class TouchedBy(models.TextChoices):
    """What changed the facts."""

    LIST = "list", _("导入名单")
    UNDONE = "undone", _("撤销导入")
    CORRECTION = "correction", _("更正登记")
    PAYMENT = "payment", _("缴费在另一个缴费期")


class PendingAssessment(PlacedModel):
    """A resident to assess again, written with the change that asks for it; ``resident`` NULL means the whole unit.

    A list that touches most of a unit names the unit: a county's first file is a few hundred rows here. A resident
    may stand several times. Rows go with the assessment that settles them, in its transaction.
    """

    resident = models.ForeignKey(
        Resident, on_delete=models.CASCADE, null=True, related_name="+", db_constraint=False, verbose_name=_("居民")
    )  # fmt: skip
    why = models.CharField(_("原因"), max_length=12, choices=TouchedBy)
    batch = models.BigIntegerField(null=True)
    since = models.DateTimeField(_("自何时"), db_default=Now())

    class Meta:
        verbose_name = _("待重新核定")
        verbose_name_plural = _("待重新核定")
        indexes = [models.Index(fields=["township", "unit"], name="pending_township_unit")]
