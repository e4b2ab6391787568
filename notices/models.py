"""Public notice: postings (公示) of sealed rosters."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from rosters.models import Roster
from townships.models import PlacedModel, User


class Posting(PlacedModel):
    """A roster put up for the village to check, with its period."""

    roster = models.OneToOneField(
        Roster, on_delete=models.PROTECT, related_name="posting", verbose_name=_("清册")
    )
    opens_on = models.DateField(_("公示开始"))
    closes_on = models.DateField(_("公示结束"))
    posted_on = models.DateField(_("张贴日期"), null=True, blank=True)
    removed_on = models.DateField(_("撤下日期"), null=True, blank=True)
    place = models.CharField(_("张贴地点"), max_length=80, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", verbose_name=_("经办人"))
    created_at = models.DateTimeField(_("登记时间"), db_default=Now())

    class Meta:
        verbose_name = _("公示")
        verbose_name_plural = _("公示")
        constraints = [
            models.CheckConstraint(condition=Q(closes_on__gte=F("opens_on")), name="posting_ends_after_start")
        ]
