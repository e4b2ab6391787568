"""The register: households, residents, their groups and their registrations of a season."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models.plans import CollectionPlan, Insurance
from foundation.scope.models import AppendOnlyModel
from townships.models import Agency, PlacedModel, SharedModel, User, Village


class Household(SharedModel):
    """A household (户) at its address; ``group_name`` and ``house_number`` order the agent's walk.

    One that was merged into another keeps its row and number, so that papers of earlier years still find it.
    """

    village = models.ForeignKey(
        Village,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("村居"),
    )
    number = models.CharField(_("户编号"), max_length=40)
    group_name = models.CharField(_("村组"), max_length=20, blank=True)
    house_number = models.CharField(_("门牌号"), max_length=20, blank=True)
    head_name = models.CharField(_("户主"), max_length=60, blank=True)
    walk = models.IntegerField(_("走访顺序"), default=0)
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False,
        verbose_name=_("并入"),
    )  # fmt: skip

    class Meta:
        verbose_name = _("户")
        verbose_name_plural = _("户")
        constraints = [
            models.UniqueConstraint(fields=["unit", "number"], name="household_number_once_per_unit")
        ]

    def __str__(self) -> str:
        return f"{self.head_name} {self.number}"


class IdKind(models.TextChoices):
    """What identifies a person."""

    RESIDENT_ID = "resident_id", _("居民身份证")
    BIRTH_CERTIFICATE = "birth_certificate", _("出生医学证明")
    HMT_PERMIT = "hmt_permit", _("港澳台居住证")
    FOREIGN_PERMIT = "foreign_permit", _("外国人永久居留证")


class RegistrationArea(models.TextChoices):
    """Where the household registration (户籍) is."""

    LOCAL = "local", _("本县区")
    SAME_CITY = "same_city_other_county", _("本市其他县区")
    OUTSIDE = "outside", _("市外")


class Sex(models.TextChoices):
    """As the ID number or the certificate says."""

    MALE = "male", _("男")
    FEMALE = "female", _("女")


class LeaveReason(models.TextChoices):
    """Why the household registration here ended though the person lives."""

    MOVED_OUT = "moved_out", _("户口迁出")
    CANCELLED = "cancelled", _("户口注销")
    EMPTY = "empty", _("空挂户")


class Resident(SharedModel):
    """A resident. The number is encrypted; look-ups use its blind index and a keyed index of its last four digits.

    Its place is where the person lives. Where he registered for an insurance may be another place: that one reads the
    row too (``also_units``), for it collects and answers for the season.
    """

    county_id = models.IntegerField(_("县区"))
    village = models.ForeignKey(
        Village,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("村居"),
    )
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, related_name="residents", null=True, verbose_name=_("户")
    )
    name = models.CharField(_("姓名"), max_length=60)
    initials = models.CharField(_("姓名首字母"), max_length=20, blank=True)
    nickname = models.CharField(_("绰号"), max_length=20, blank=True)
    relation = models.CharField(_("与户主关系"), max_length=20, blank=True)
    is_head = models.BooleanField(_("户主"), default=False)
    id_kind = models.CharField(_("证件类型"), max_length=20, choices=IdKind, default=IdKind.RESIDENT_ID)
    number_encrypted = models.BinaryField(null=True)
    number_index = models.BinaryField(null=True)
    tail_index = models.BinaryField(null=True)
    birth_date = models.DateField(_("出生日期"), null=True)
    sex = models.CharField(_("性别"), max_length=6, choices=Sex, blank=True)
    registration_area = models.CharField(
        _("户籍性质"), max_length=24, choices=RegistrationArea, default=RegistrationArea.LOCAL
    )
    residence_permit = models.CharField(
        _("居住证"), max_length=6, default="false",
        choices=[("true", _("本人持证")), ("parent", _("随父母")), ("false", _("无"))],
    )  # fmt: skip
    in_school = models.BooleanField(_("在校"), default=False)
    school = models.CharField(_("学校类型"), max_length=24, blank=True)
    employee_pension = models.BooleanField(_("职工养老"), default=False)
    employee_medical = models.BooleanField(_("职工医保"), default=False)
    other_enrolment = models.CharField(_("异地参保"), max_length=40, blank=True)
    death_date = models.DateField(_("死亡日期"), null=True, blank=True)
    left_on = models.DateField(_("迁出或注销日期"), null=True, blank=True)
    left_why = models.CharField(
        _("迁出或注销原因"), max_length=12, choices=LeaveReason, blank=True, db_default=""
    )
    phone_encrypted = models.BinaryField(null=True)
    phone_tail = models.CharField(max_length=4, blank=True)
    address = models.CharField(_("住址"), max_length=120, blank=True)
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    changed_at = models.DateTimeField(_("更新时间"), db_default=Now())

    class Meta:
        verbose_name = _("居民")
        verbose_name_plural = _("居民")
        constraints = [
            models.UniqueConstraint(
                fields=["county_id", "number_index"],
                condition=Q(merged_into=None, number_index__isnull=False),
                name="resident_one_living_record_per_number",
            ),
            models.CheckConstraint(
                condition=Q(number_index=None, number_encrypted=None)
                | Q(number_index__isnull=False, number_encrypted__isnull=False),
                name="resident_number_and_index_together",
            ),
        ]
        indexes = [
            models.Index(fields=["unit", "initials"], name="resident_unit_initials"),
            models.Index(fields=["township", "name"], name="resident_township_name"),
            models.Index(fields=["tail_index"], name="resident_tail"),
            # Few people are registered elsewhere than they live: found from either side without reading the rest.
            models.Index(
                fields=["township"], condition=Q(also_units__isnull=False), name="resident_lives_elsewhere"
            ),
            GinIndex(
                fields=["also_units"], condition=Q(also_units__isnull=False), name="resident_also_units"
            ),
            GinIndex(
                fields=["also_townships"],
                condition=Q(also_townships__isnull=False),
                name="resident_also_townships",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Category(models.Model):
    """A special group (特殊群体). Names change over the years: plans map names they do not print."""

    id = models.AutoField(primary_key=True)
    code = models.CharField(_("代码"), max_length=40, unique=True)
    name = models.CharField(_("名称"), max_length=40)
    aliases = ArrayField(models.CharField(max_length=40), default=list, blank=True, verbose_name=_("别名"))
    agency_kind = models.CharField(_("认定部门"), max_length=24, blank=True)
    position = models.IntegerField(_("顺序"), default=0)

    class Meta:
        verbose_name = _("特殊群体")
        verbose_name_plural = _("特殊群体")

    def __str__(self) -> str:
        return self.name


class MarkState(models.TextChoices):
    """How far the mark has travelled: list → township → medical office → tax side."""

    LISTED = "listed", _("名单")
    VERIFIED = "verified", _("镇街验证")
    MARKED = "marked", _("医保标识")
    SYNCED = "synced", _("税务已同步")


class DateRange(Func):
    """A day range, both ends included; an open end is infinity."""

    function = "daterange"
    template = "%(function)s(%(expressions)s, '[]')"


class Membership(SharedModel):
    """A resident in a special group, with validity, origin and the way of the mark."""

    resident = models.ForeignKey(
        Resident, on_delete=models.PROTECT, related_name="memberships", verbose_name=_("居民")
    )
    category = models.ForeignKey(
        Category, on_delete=models.PROTECT, related_name="memberships", verbose_name=_("特殊群体")
    )
    grade = models.SmallIntegerField(_("残疾等级"), null=True, blank=True)
    approved = models.BooleanField(_("已批准"), default=True)
    valid_from = models.DateField(_("起期"))
    valid_to = models.DateField(_("止期"), null=True, blank=True)
    certified_by = models.ForeignKey(
        Agency, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("认定部门")
    )
    certified_on = models.DateField(_("认定时间"), null=True, blank=True)
    batch = models.BigIntegerField(null=True, blank=True)
    mark = models.CharField(_("标识"), max_length=10, choices=MarkState, default=MarkState.LISTED)

    class Meta:
        verbose_name = _("特殊群体成员")
        verbose_name_plural = _("特殊群体成员")
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="membership_ends_after_start",
            ),
            ExclusionConstraint(
                name="membership_no_overlap",
                expressions=[
                    ("resident", RangeOperators.EQUAL),
                    ("category", RangeOperators.EQUAL),
                    (DateRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
            ),
        ]


class MarkStep(PlacedModel, AppendOnlyModel):
    """A step of a mark's way: who moved it where and when. The membership holds where it stands."""

    membership = models.ForeignKey(
        Membership, on_delete=models.PROTECT, related_name="mark_steps", verbose_name=_("特殊群体成员")
    )
    to_state = models.CharField(_("标识"), max_length=10, choices=MarkState)
    by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("操作人")
    )
    at = models.DateTimeField(_("时间"), db_default=Now())
    on = models.DateField(_("日期"))

    class Meta:
        verbose_name = _("标识经过")
        verbose_name_plural = _("标识经过")


class FamilyRecord(SharedModel):
    """Family-planning facts from the health list."""

    resident = models.ForeignKey(
        Resident, on_delete=models.PROTECT, related_name="family_records", verbose_name=_("居民")
    )
    kind = models.CharField(_("类型"), max_length=40)
    lawful_birth = models.BooleanField(_("合法生育"), default=True)
    wife_birth_date = models.DateField(_("妻子出生日期"), null=True, blank=True)
    spouse = models.ForeignKey(
        Resident, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("配偶")
    )
    batch = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("计生家庭")
        verbose_name_plural = _("计生家庭")
        constraints = [models.UniqueConstraint(fields=["resident", "kind"], name="family_record_once")]


class ClosingReason(models.TextChoices):
    """Why a registration is settled without money. Printed into sealed rosters, so the words are the data."""

    EMPLOYED = "职工参保", _("职工参保")
    IN_SCHOOL = "在校", _("在校")
    ARMY = "参军", _("参军")
    PRISON = "服刑", _("服刑")
    ABROAD = "出国", _("出国")
    MOVED_OUT = "户口迁出", _("户口迁出")
    EMPTY = "空挂户", _("空挂户")
    UNREACHABLE = "失联", _("失联")
    DIED = "死亡", _("死亡")
    PENSIONER = "领取养老待遇", _("领取养老待遇")
    PAID_ELSEWHERE = "异地已缴", _("异地已缴")
    AWAITING_TAX = "待税务回传", _("待税务回传")
    UNWILLING = "自愿不参保", _("自愿不参保")
    SAME_PERSON = "重复档案", _("重复档案")


class Registration(PlacedModel):
    """A resident registered for an insurance and coverage year, with the place of that season.

    ``household`` is the house it was collected in, kept when the person has moved to another unit; NULL means the one
    he lives in.
    """

    resident = models.ForeignKey(
        Resident,
        on_delete=models.PROTECT,
        related_name="registrations",
        db_index=False,
        verbose_name=_("居民"),
    )
    village = models.ForeignKey(
        Village,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("村居"),
    )
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("方案"),
    )  # fmt: skip
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance)
    coverage_year = models.IntegerField(_("保障年度"))
    tier = models.DecimalField(_("档次"), max_digits=12, decimal_places=2, null=True, blank=True)
    last_tier = models.DecimalField(_("上年档次"), max_digits=12, decimal_places=2, null=True, blank=True)
    is_new = models.BooleanField(_("新参保"), default=False)
    missed_years = models.SmallIntegerField(_("中断年数"), default=0)
    repaired_years = models.SmallIntegerField(_("补缴年数"), default=0)
    registered_on = models.DateField(_("登记日期"), null=True, blank=True)
    closing_reason = models.CharField(_("销号原因"), max_length=20, blank=True)
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False,
        db_index=False, verbose_name=_("当时的户"),
    )  # fmt: skip
    batch = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("参保登记")
        verbose_name_plural = _("参保登记")
        constraints = [
            models.UniqueConstraint(
                fields=["resident", "insurance", "coverage_year"], name="registration_once_per_year"
            )
        ]
        indexes = [models.Index(fields=["plan", "insurance", "unit"], name="registration_plan_unit")]
