"""Collection plans: a government's paper as rows, frozen once published."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.rules import IN_FORCE
from townships.models import County, Township


class Insurance(models.TextChoices):
    """The two contributions."""

    MEDICAL = "medical", _("医疗")
    PENSION = "pension", _("养老")


class PlanStatus(models.TextChoices):
    """provisional (before the paper) → draft → published (frozen) → amended by the next version, or closed.

    The steps are ``enrollment.rules.PLAN_STEPS``.
    """

    PROVISIONAL = "provisional", _("暂行")
    DRAFT = "draft", _("草稿")
    PUBLISHED = "published", _("已发布")
    AMENDED = "amended", _("已修订")
    CLOSED = "closed", _("已结束")


class CollectionMode(models.TextChoices):
    """Who holds the money (DESIGN.md decision 8)."""

    DIRECT = "direct", _("直缴税务")
    ENTRUSTED = "entrusted", _("委托代收")


class CollectionPlanQuerySet(models.QuerySet["CollectionPlan"]):
    """Reads of plans."""

    def in_force(self) -> CollectionPlanQuerySet:
        """One row a code, the one work is done by: the version in force, else the newest that is being written.

        Drafts of an amendment and versions that were amended are read by their number alone.
        """
        same_code = CollectionPlan.objects.filter(code=OuterRef("code"))
        standing = same_code.filter(status__in=IN_FORCE)
        newer = same_code.filter(version__gt=OuterRef("version"))
        written = (
            Q(status__in=(PlanStatus.PROVISIONAL, PlanStatus.DRAFT)) & ~Exists(standing) & ~Exists(newer)
        )
        return self.filter(Q(status__in=IN_FORCE) | written)


class CollectionPlan(models.Model):
    """A plan (征缴方案): what may be collected, from whom, when, how. ``document`` is the whole text as data.

    Registrations, charges and figures name the row of the version in force. An amendment exchanges the contents of two
    rows, so that this row goes on and the old text stays under its number.
    """

    id = models.AutoField(primary_key=True)
    code = models.CharField(_("代码"), max_length=40)
    version = models.IntegerField(_("版本"), default=1)
    county = models.ForeignKey(County, on_delete=models.PROTECT, related_name="plans", verbose_name=_("县区"))
    township = models.ForeignKey(
        Township,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="plans",
        verbose_name=_("镇街"),
    )
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("上级方案"),
    )
    name = models.CharField(_("名称"), max_length=120)
    document_number = models.CharField(_("文号"), max_length=60, blank=True)
    issuer = models.CharField(_("发文机关"), max_length=60, blank=True)
    issued_on = models.DateField(_("发文日期"), null=True, blank=True)
    coverage_year = models.IntegerField(_("保障年度"))
    insurances = ArrayField(models.CharField(max_length=8, choices=Insurance), verbose_name=_("险种"))
    collection_mode = models.CharField(_("收缴方式"), max_length=10, choices=CollectionMode)
    status = models.CharField(_("状态"), max_length=12, choices=PlanStatus, default=PlanStatus.DRAFT)
    settings = models.JSONField(_("设置"), default=dict)
    document = models.JSONField(_("方案正文"), default=dict)
    examples = models.JSONField(_("认可的算例结果"), default=dict, blank=True)
    """Answers of this version that take the place of those written for the earlier one: {example: {key: value}}."""
    source_sha256 = models.CharField(max_length=64, blank=True)
    loaded_at = models.DateTimeField(_("载入时间"), db_default=Now())
    published_at = models.DateTimeField(_("发布时间"), null=True, blank=True)
    closed_at = models.DateTimeField(_("结束时间"), null=True, blank=True)
    closing_note = models.CharField(_("结束说明"), max_length=200, blank=True)

    objects = CollectionPlanQuerySet.as_manager()

    class Meta:
        verbose_name = _("征缴方案")
        verbose_name_plural = _("征缴方案")
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="plan_code_version"),
            models.CheckConstraint(condition=Q(version__gte=1), name="plan_version_from_one"),
            models.UniqueConstraint(
                fields=["code"], condition=Q(status__in=IN_FORCE), name="plan_one_version_in_force"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def takes_charges(self) -> bool:
        """Whether anything may still become due under it."""
        return self.status not in (PlanStatus.AMENDED, PlanStatus.CLOSED)


class PlanPart(models.Model):
    """A part of a plan with the clause it stands on."""

    clause = models.TextField(_("条文"), blank=True)
    lines = models.CharField(_("行"), max_length=40, blank=True)

    class Meta:
        abstract = True


class Tier(PlanPart):
    """A pension tier (缴费档次) with its government subsidy; ``restricted_to`` names who may use it."""

    id = models.AutoField(primary_key=True)
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.CASCADE, related_name="tiers", verbose_name=_("方案")
    )
    amount = models.DecimalField(_("档次"), max_digits=12, decimal_places=2)
    subsidy = models.DecimalField(_("政府补贴"), max_digits=12, decimal_places=2)
    restricted_to = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, verbose_name=_("仅限")
    )

    class Meta:
        verbose_name = _("缴费档次")
        verbose_name_plural = _("缴费档次")
        constraints = [models.UniqueConstraint(fields=["plan", "amount"], name="tier_amount_once_per_plan")]


class Window(PlanPart):
    """A payment period (缴费期) of an insurance, both days included."""

    id = models.AutoField(primary_key=True)
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.CASCADE, related_name="windows", verbose_name=_("方案")
    )
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    kind = models.CharField(_("类型"), max_length=20)
    opens_on = models.DateField(_("开始"))
    closes_on = models.DateField(_("截止"), null=True, blank=True)

    class Meta:
        verbose_name = _("缴费期")
        verbose_name_plural = _("缴费期")
        constraints = [
            models.CheckConstraint(
                condition=Q(closes_on=None) | Q(closes_on__gte=models.F("opens_on")),
                name="window_ends_after_start",
            )
        ]


class Stage(PlanPart):
    """A stage of the work (实施步骤); stages may overlap."""

    id = models.AutoField(primary_key=True)
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.CASCADE, related_name="stages", verbose_name=_("方案")
    )
    kind = models.CharField(_("类型"), max_length=20)
    name = models.CharField(_("名称"), max_length=40)
    starts_on = models.DateField(_("开始"), null=True, blank=True)
    ends_on = models.DateField(_("结束"), null=True, blank=True)

    class Meta:
        verbose_name = _("实施步骤")
        verbose_name_plural = _("实施步骤")


class Target(PlanPart):
    """A row of a task table (任务数): headcount of a township; ``township`` empty on the printed total."""

    id = models.AutoField(primary_key=True)
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.CASCADE, related_name="targets", verbose_name=_("方案")
    )
    township = models.ForeignKey(
        Township,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="targets",
        verbose_name=_("镇街"),
    )
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    headcount = models.IntegerField(_("任务数"))
    villages = models.IntegerField(_("村居数"), null=True, blank=True)
    note = models.CharField(_("备注"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("任务数")
        verbose_name_plural = _("任务数")
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "township", "insurance"], name="target_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(headcount__gte=0), name="target_not_negative"),
        ]
