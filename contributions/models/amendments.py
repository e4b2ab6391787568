"""An amendment before and after it takes effect: whose charges change, by how much, what becomes of the money."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contributions.models.dues import Charge, yuan_field
from enrollment.models import CollectionPlan, Insurance, Registration, Resident
from townships.models import PlacedModel, Township, User


class AmendmentState(models.TextChoices):
    """written → taking (the text is in force, charges follow township by township) → in force; or withdrawn.

    The steps are ``contributions.rules.AMENDMENT_STEPS``.
    """

    WRITTEN = "written", _("待生效")
    TAKING = "taking", _("正在生效")
    IN_FORCE = "in_force", _("已生效")
    WITHDRAWN = "withdrawn", _("已撤回")


class Amendment(models.Model):
    """The next version of a plan on its way into force.

    ``plan`` is the row in force, ``draft`` the row of the other text: the new one before, the old one afterwards.
    ``text`` and ``standing_text`` are the digests of both texts that were previewed; another text is another preview.
    ``digest`` is that of the change set somebody has put into force.
    """

    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="amendments", verbose_name=_("方案")
    )
    draft = models.ForeignKey(
        CollectionPlan, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("另一版")
    )
    from_version = models.IntegerField(_("从第几版"))
    to_version = models.IntegerField(_("到第几版"))
    state = models.CharField(_("状态"), max_length=10, choices=AmendmentState, default=AmendmentState.WRITTEN)
    text = models.CharField(max_length=64, blank=True)
    standing_text = models.CharField(max_length=64, blank=True)
    previewed_on = models.DateField(_("试算日期"), null=True)
    previewed_at = models.DateTimeField(_("试算时间"), null=True)
    effective_on = models.DateField(_("生效日期"), null=True)
    digest = models.CharField(max_length=64, blank=True)
    confirmed_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("生效操作人"),
    )
    took_effect_at = models.DateTimeField(_("生效时间"), null=True)
    made_at = models.DateTimeField(_("写成时间"), db_default=Now())

    class Meta:
        verbose_name = _("方案修订")
        verbose_name_plural = _("方案修订")
        constraints = [
            models.UniqueConstraint(
                fields=["plan"], condition=Q(state__in=["written", "taking"]), name="amendment_one_open"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["taking", "in_force"])
                | (Q(effective_on__isnull=False) & ~Q(digest="")),
                name="amendment_in_force_was_confirmed",
            ),
        ]


class AmendmentSum(models.Model):
    """What an amendment does to a township's people of one insurance, and the digest of those changes. No person."""

    amendment = models.ForeignKey(Amendment, on_delete=models.CASCADE, related_name="sums")
    township = models.ForeignKey(Township, on_delete=models.PROTECT, related_name="+", verbose_name=_("镇街"))
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    touched = models.IntegerField(_("应缴有变"), default=0)
    more = models.IntegerField(_("本人多缴"), default=0)
    less = models.IntegerField(_("本人少缴"), default=0)
    earlier = models.IntegerField(_("待遇提前"), default=0)
    later = models.IntegerField(_("待遇推后"), default=0)
    begun = models.IntegerField(_("新应缴"), default=0)
    ended = models.IntegerField(_("不再应缴"), default=0)
    owing = models.IntegerField(_("已缴要补"), default=0)
    owed = yuan_field(_("应补"), default=0)
    repaid = models.IntegerField(_("已缴要退"), default=0)
    refund = yuan_field(_("应退"), default=0)
    kept = models.IntegerField(_("已缴保留"), default=0)
    reviewed = models.IntegerField(_("要复核"), default=0)
    personal_before = yuan_field(_("本人，现行"), default=0)
    personal_after = yuan_field(_("本人，修订后"), default=0)
    others_before = yuan_field(_("政府和财政，现行"), default=0)
    others_after = yuan_field(_("政府和财政，修订后"), default=0)
    digest = models.CharField(max_length=32)
    applied = models.BooleanField(default=False)
    moved = models.BooleanField(default=False)
    """Facts moved between the confirmed preview and the writing: what stands here is what was written."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["amendment", "township", "insurance"], name="amendment_sum_once")
        ]


class AmendmentOutcome(models.TextChoices):
    """What becomes of a registration; the outcomes of whoever has paid are those of ``PaidDifference``."""

    REPRICE = "reprice", _("未缴，改应缴")
    BEGIN = "begin", _("新应缴")
    END = "end", _("不再应缴")
    KEEP = "keep", _("已缴，保留")
    COLLECT = "collect", _("已缴，补差额")
    REFUND = "refund", _("已缴，退差额")
    REVIEW = "review", _("已缴，复核")
    APPLY = "apply", _("已缴，金额不变")
    RESTORE = "restore", _("已缴，改回")


class AmendmentLine(PlacedModel):
    """A registration an amendment touches: its charge before and after, and what becomes of what is paid."""

    amendment = models.ForeignKey(
        Amendment, on_delete=models.CASCADE, related_name="lines", db_constraint=False, db_index=False
    )
    registration = models.ForeignKey(
        Registration, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("参保登记"),
    )  # fmt: skip
    resident = models.ForeignKey(
        Resident, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("居民"),
    )  # fmt: skip
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    outcome = models.CharField(_("怎么办"), max_length=8, choices=AmendmentOutcome)
    charge = models.ForeignKey(
        Charge, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    paid = yuan_field(_("已缴"), default=0)
    paid_on = models.DateField(_("缴费日期"), null=True)
    personal_before = yuan_field(_("个人缴，现行"), default=0)
    personal_after = yuan_field(_("个人缴，修订后"), default=0)
    others_before = yuan_field(_("政府和财政，现行"), default=0)
    others_after = yuan_field(_("政府和财政，修订后"), default=0)
    payers_after = models.CharField(_("修订后代缴"), max_length=120, blank=True)
    benefit_start_before = models.DateField(_("待遇开始，现行"), null=True)
    benefit_start_after = models.DateField(_("待遇开始，修订后"), null=True)
    owed = yuan_field(_("应补"), default=0)
    refund = yuan_field(_("应退"), default=0)

    class Meta:
        verbose_name = _("修订影响的人")
        verbose_name_plural = _("修订影响的人")
        indexes = [models.Index(fields=["amendment", "township", "unit"], name="amendment_line_place")]
