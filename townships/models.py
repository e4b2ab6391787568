"""County → township → village, the units that collect, and the people who work with them."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from foundation.scope.models import AlsoSeenModel, ScopedModel
from foundation.scope.places import NOWHERE, Places
from townships.rules import may


class Division(models.Model):
    """An official division: twelve-digit code, name as printed, short name for matching, validity."""

    id = models.AutoField(primary_key=True)
    code = models.CharField(_("区划代码"), max_length=12, unique=True)
    name = models.CharField(_("名称"), max_length=60)
    short_name = models.CharField(_("简称"), max_length=60)
    aliases = ArrayField(models.CharField(max_length=60), default=list, blank=True, verbose_name=_("别名"))
    position = models.IntegerField(_("顺序"), default=0)
    valid_from = models.DateField(_("启用日期"), null=True, blank=True)
    valid_to = models.DateField(_("停用日期"), null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class County(Division):
    """District or county-level city; its finance bureau is 区财政 or 市财政 by ``kind``."""

    DISTRICT, CITY = "district", "county_city"
    kind = models.CharField(_("类型"), max_length=12, choices=[(DISTRICT, _("区县")), (CITY, _("县级市"))])

    class Meta:
        verbose_name = _("县区")
        verbose_name_plural = _("县区")
        constraints = [
            models.CheckConstraint(condition=Q(code__regex=r"^\d{12}$"), name="county_code_twelve_digits")
        ]

    @property
    def short_code(self) -> str:
        """The six digits people use."""
        return self.code[:6]


class Township(Division):
    """Township, town or subdistrict (镇街)."""

    county = models.ForeignKey(
        County, on_delete=models.PROTECT, related_name="townships", verbose_name=_("县区")
    )

    class Meta:
        verbose_name = _("镇街")
        verbose_name_plural = _("镇街")
        constraints = [
            models.UniqueConstraint(fields=["county", "name"], name="township_name_once_per_county"),
            models.CheckConstraint(condition=Q(code__regex=r"^\d{12}$"), name="township_code_twelve_digits"),
        ]


class Area(models.Model):
    """An area office (办事处) between township and village, where a township has them."""

    id = models.AutoField(primary_key=True)
    township = models.ForeignKey(
        Township, on_delete=models.PROTECT, related_name="areas", verbose_name=_("镇街")
    )
    name = models.CharField(_("名称"), max_length=60)
    position = models.IntegerField(_("顺序"), default=0)

    class Meta:
        verbose_name = _("办事处")
        verbose_name_plural = _("办事处")
        constraints = [
            models.UniqueConstraint(fields=["township", "name"], name="area_name_once_per_township")
        ]

    def __str__(self) -> str:
        return self.name


class Village(Division):
    """Village or residents' committee (村居). ``successor`` is the village it was merged into."""

    township = models.ForeignKey(
        Township, on_delete=models.PROTECT, related_name="villages", verbose_name=_("镇街")
    )
    area = models.ForeignKey(
        Area,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="villages",
        verbose_name=_("办事处"),
    )
    successor = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("并入")
    )

    class Meta:
        verbose_name = _("村居")
        verbose_name_plural = _("村居")
        constraints = [
            models.UniqueConstraint(fields=["township", "name"], name="village_name_once_per_township"),
            models.CheckConstraint(condition=Q(code__regex=r"^\d{12}$"), name="village_code_twelve_digits"),
        ]


class UnitKind(models.TextChoices):
    """Who collects."""

    VILLAGE = "village", _("村居")
    HEALTH_STATION = "health_station", _("社区卫生服务站")
    SCHOOL = "school", _("学校")
    ZONE = "zone", _("园区")


class CollectingUnitQuerySet(models.QuerySet["CollectingUnit"]):
    """Reads of units."""

    def visible_to(self, user: Any) -> CollectingUnitQuerySet:
        """Units of the townships seen whole, and single units."""
        places = user.scope_places()
        return self.filter(Q(township_id__in=sorted(places.townships)) | Q(pk__in=sorted(places.units)))


class CollectingUnit(models.Model):
    """Who collects (代收单位): usually a village. Rosters, charges and scope follow the unit."""

    id = models.AutoField(primary_key=True)
    code = models.CharField(_("单位代码"), max_length=20, unique=True)
    name = models.CharField(_("名称"), max_length=60)
    kind = models.CharField(_("类型"), max_length=20, choices=UnitKind, default=UnitKind.VILLAGE)
    township = models.ForeignKey(
        Township, on_delete=models.PROTECT, related_name="units", verbose_name=_("镇街")
    )
    village = models.ForeignKey(
        Village, on_delete=models.PROTECT, null=True, blank=True, related_name="units", verbose_name=_("村居")
    )
    position = models.IntegerField(_("顺序"), default=0)
    agent_name = models.CharField(_("代办员"), max_length=60, blank=True, db_default="")
    agent_phone_encrypted = models.BinaryField(null=True, editable=False)
    agent_phone_tail = models.CharField(
        _("代办员电话尾号"), max_length=4, blank=True, db_default="", editable=False
    )
    account_name = models.CharField(_("账户户名"), max_length=80, blank=True, db_default="")
    account = models.CharField(_("对公账户"), max_length=40, blank=True)
    pos_number = models.CharField(_("POS 终端号"), max_length=40, blank=True)

    objects = CollectingUnitQuerySet.as_manager()

    class Meta:
        verbose_name = _("代收单位")
        verbose_name_plural = _("代收单位")
        constraints = [
            models.UniqueConstraint(fields=["township", "name"], name="unit_name_once_per_township")
        ]

    def __str__(self) -> str:
        return self.name


class AgencyKind(models.TextChoices):
    """Offices that send lists, review rosters or hold money."""

    TAX = "tax", _("税务")
    MEDICAL = "medical", _("医保")
    HR = "hr", _("人社")
    FINANCE = "finance", _("财政")
    CIVIL_AFFAIRS = "civil_affairs", _("民政")
    DISABLED_FEDERATION = "disabled_federation", _("残联")
    HEALTH = "health", _("卫健")
    RURAL_REVIVAL = "rural_revival", _("乡村振兴")
    VETERANS = "veterans", _("退役军人事务")
    POLICE = "police", _("公安")
    EDUCATION = "education", _("教育")
    AUDIT = "audit", _("审计")
    GOVERNMENT = "government", _("政府")


class Agency(models.Model):
    """An office of the county or of one township."""

    id = models.AutoField(primary_key=True)
    county = models.ForeignKey(
        County, on_delete=models.PROTECT, related_name="agencies", verbose_name=_("县区")
    )
    township = models.ForeignKey(
        Township,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="agencies",
        verbose_name=_("镇街"),
    )
    kind = models.CharField(_("类型"), max_length=24, choices=AgencyKind)
    name = models.CharField(_("名称"), max_length=80)
    phone = models.CharField(_("电话"), max_length=30, blank=True)

    class Meta:
        verbose_name = _("机构")
        verbose_name_plural = _("机构")
        constraints = [models.UniqueConstraint(fields=["county", "name"], name="agency_name_once_per_county")]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a person's post lets them do; how far they see is their scope."""

    ADMIN = "admin", _("系统管理员")
    COUNTY_LEADER = "county_leader", _("区领导")
    TAX_BUREAU = "tax_bureau", _("税务局")
    MEDICAL_BUREAU = "medical_bureau", _("医保局")
    HR_BUREAU = "hr_bureau", _("人社局")
    FINANCE_BUREAU = "finance_bureau", _("财政局")
    DEPARTMENT = "department", _("部门（民政、残联等）")
    TOWNSHIP_CLERK = "township_clerk", _("镇街经办")
    VILLAGE_AGENT = "village_agent", _("村代办员")
    AUDITOR = "auditor", _("审计局")


COUNTY_ROLES = frozenset(
    {
        Role.ADMIN, Role.COUNTY_LEADER, Role.TAX_BUREAU, Role.MEDICAL_BUREAU, Role.HR_BUREAU, Role.FINANCE_BUREAU,
        Role.DEPARTMENT, Role.AUDITOR,
    }
)  # fmt: skip


class User(AbstractUser):
    """An account, given to a post and not keyed on a name. Scope: a county, townships, or single units."""

    id = models.AutoField(primary_key=True)
    display_name = models.CharField(_("显示名"), max_length=40, blank=True)
    role = models.CharField(_("角色"), max_length=20, choices=Role, default=Role.VILLAGE_AGENT)
    agency = models.ForeignKey(
        Agency, on_delete=models.PROTECT, null=True, blank=True, related_name="users", verbose_name=_("机构")
    )
    county = models.ForeignKey(
        County, on_delete=models.PROTECT, null=True, blank=True, related_name="users", verbose_name=_("县区")
    )
    townships = models.ManyToManyField(Township, blank=True, related_name="users", verbose_name=_("镇街"))
    units = models.ManyToManyField(
        CollectingUnit, blank=True, related_name="users", verbose_name=_("代收单位")
    )

    class Meta:
        verbose_name = _("用户")
        verbose_name_plural = _("用户")

    def __str__(self) -> str:
        return self.display_name or self.username

    @property
    def sees_county(self) -> bool:
        """Whether the whole county is in scope."""
        return self.role in COUNTY_ROLES and self.county_id is not None

    @property
    def sees_all_work(self) -> bool:
        """Whether everybody's files and jobs of the county are hers to see; a department sees its own alone."""
        return self.sees_county and self.role != Role.DEPARTMENT

    @property
    def shares_desk(self) -> bool:
        """Whether she works with others on the same files: a county's agency, a township's, a post without agency.

        All of them see the same people. A county's agency given to somebody of one township is no desk.
        """
        if self.agency is None:
            return not self.sees_county
        return self.sees_county or self.agency.township_id is not None

    @property
    def follows_lists(self) -> bool:
        """Whether others' lists concern her where they name her township: the clerk helps to find the persons."""
        return self.role == Role.TOWNSHIP_CLERK

    @property
    def reads_numbers(self) -> bool:
        """Whether whole numbers of others' files are hers to read: the county's bureaus, who keep the register."""
        return self.sees_county and may(self.role, "read_full_numbers")

    @property
    def audits_all_work(self) -> bool:
        """Whether she reads every file's page of the county and sends none."""
        return self.sees_county and self.role == Role.AUDITOR

    @property
    def county_code(self) -> str:
        """Twelve-digit code of the user's county, empty for none."""
        return self.county.code if self.county is not None else ""

    def scope_places(self) -> Places:
        """Townships seen whole and single units; computed once a request."""
        cached: Places | None = self.__dict__.get("_places")
        if cached is None:
            cached = self._find_places()
            self.__dict__["_places"] = cached
        return cached

    def _find_places(self) -> Places:
        if not self.is_active:
            return NOWHERE
        if self.sees_county and self.county_id is not None:
            ids = Township.objects.filter(county_id=self.county_id).values_list("pk", flat=True)
            return Places(townships=frozenset(ids))
        if self.role == Role.TOWNSHIP_CLERK:
            return Places(townships=frozenset(self.townships.values_list("pk", flat=True)))
        if self.role == Role.VILLAGE_AGENT:
            return Places(units=frozenset(self.units.values_list("pk", flat=True)))
        return NOWHERE


class DeviceKind(models.TextChoices):
    """Where a payment is entered: a bound tablet, an office's counter, an import, a funder's desk."""

    TABLET = "tablet", _("平板")
    COUNTER = "counter", _("柜台")
    IMPORT = "import", _("回传导入")
    FUNDER = "funder", _("出资方")


class Device(models.Model):
    """A named, revocable place of entry. Every payment names one."""

    id = models.AutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    county = models.ForeignKey(
        County, on_delete=models.PROTECT, related_name="devices", verbose_name=_("县区")
    )
    kind = models.CharField(_("类型"), max_length=10, choices=DeviceKind)
    name = models.CharField(_("名称"), max_length=60)
    user = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="devices",
        verbose_name=_("使用人"),
    )
    bound_at = models.DateTimeField(_("绑定时间"), db_default=Now())
    revoked_at = models.DateTimeField(_("停用时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("设备")
        verbose_name_plural = _("设备")
        constraints = [
            # One counter per person, one desk per county for imports and funders.
            models.UniqueConstraint(
                fields=["county", "kind", "user"],
                condition=Q(kind="counter"),
                name="device_one_counter_per_user",
            ),
            models.UniqueConstraint(
                fields=["county", "kind"],
                condition=Q(kind__in=["import", "funder"]),
                name="device_one_desk_per_county",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PlacedModel(ScopedModel):
    """A row of residents' data with its place.

    No foreign-key constraint on the place: a county writes millions of these rows at once, places are only ever
    taken from the tables themselves, and none is ever deleted (docs/decisions/0003).
    """

    township = models.ForeignKey(
        Township,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("镇街"),
    )
    unit = models.ForeignKey(
        CollectingUnit, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("代收单位"),
    )  # fmt: skip

    scope_paths: ClassVar[tuple[str, str]] = ("township_id", "unit_id")

    class Meta:
        abstract = True


class SharedModel(AlsoSeenModel, PlacedModel):
    """A row of residents' data at its place that other places of the county read as well."""

    class Meta:
        abstract = True
