"""Public notice: postings (公示) of sealed payment rosters and of grant lists."""

from __future__ import annotations

from datetime import date

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models import CollectionPlan
from rosters.models import Roster
from townships.models import PlacedModel, User


class PostedPaper(PlacedModel):
    """A paper put up for the village to check, with its period and the days it hung."""

    opens_on = models.DateField(_("公示开始"))
    closes_on = models.DateField(_("公示结束"))
    posted_on = models.DateField(_("张贴日期"), null=True, blank=True)
    removed_on = models.DateField(_("撤下日期"), null=True, blank=True)
    place = models.CharField(_("张贴地点"), max_length=80, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", verbose_name=_("经办人"))
    created_at = models.DateTimeField(_("登记时间"), db_default=Now())

    class Meta:
        abstract = True

    @property
    def subject(self) -> str:
        """What hangs, for the trail: a number or the name of a list."""
        raise NotImplementedError

    @property
    def sealed_on(self) -> date:
        """The day from which it may hang."""
        raise NotImplementedError


class Posting(PostedPaper):
    """A payment roster that is posted."""

    roster = models.OneToOneField(
        Roster, on_delete=models.PROTECT, related_name="posting", verbose_name=_("清册")
    )

    class Meta:
        verbose_name = _("公示")
        verbose_name_plural = _("公示")
        constraints = [
            models.CheckConstraint(condition=Q(closes_on__gte=F("opens_on")), name="posting_ends_after_start")
        ]

    @property
    def subject(self) -> str:
        """The number of the roster."""
        return self.roster.number

    @property
    def sealed_on(self) -> date:
        """The day the roster tells of."""
        return self.roster.as_of


class GrantPosting(PostedPaper):
    """A unit's part of a grant list (资助、代缴名单) as it is posted: who stands on it that day, sealed by a digest.

    ``entries`` is a list of [group, name, kind of grant]; a child's name never enters it.
    """

    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("方案")
    )
    list_code = models.CharField(_("名单"), max_length=60)
    list_name = models.CharField(_("名单名称"), max_length=60)
    as_of = models.DateField(_("名单日期"))
    entries = models.JSONField(_("名单"), default=list)
    heads = models.IntegerField(_("人数"))
    digest = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("资助名单公示")
        verbose_name_plural = _("资助名单公示")
        constraints = [
            models.UniqueConstraint(fields=["plan", "list_code", "unit"], name="grant_posting_once"),
            models.CheckConstraint(
                condition=Q(closes_on__gte=F("opens_on")), name="grant_posting_ends_after_start"
            ),
        ]

    @property
    def subject(self) -> str:
        """The name of the list."""
        return self.list_name

    @property
    def sealed_on(self) -> date:
        """The day the list was taken."""
        return self.as_of
