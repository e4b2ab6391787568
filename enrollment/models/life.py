"""What happened to residents: the history of each, moves between townships, earlier numbers, and possible doubles."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models.register import IdKind, Resident, Sex
from foundation.scope.models import AppendOnlyModel
from townships.models import CollectingUnit, PlacedModel, SharedModel, User


class EventKind(models.TextChoices):
    """What happened."""

    BORN = "born", _("新生儿登记")
    ENROLLED = "enrolled", _("新参保登记")
    NUMBER_GIVEN = "number_given", _("领到身份证号")
    NUMBER_CORRECTED = "number_corrected", _("更正身份证号")
    NAME_CORRECTED = "name_corrected", _("更正姓名")
    CONTACT = "contact", _("更正联系方式")
    DIED = "died", _("死亡")
    DEATH_WITHDRAWN = "death_withdrawn", _("撤销死亡登记")
    LEFT = "left", _("户口迁出或注销")
    RETURNED = "returned", _("户口恢复")
    MOVED = "moved", _("迁移")
    OFFERED = "offered", _("发起转出")
    DECLINED = "declined", _("对方未接收")
    WITHDRAWN = "withdrawn", _("撤回转出")
    REGISTRATION_MOVED = "registration_moved", _("参保登记随迁")
    SPLIT = "split", _("分户")
    JOINED = "joined", _("并入另一户")
    HEAD = "head", _("变更户主")
    TIER = "tier", _("改档次")
    CLOSED = "closed", _("销号")
    REOPENED = "reopened", _("撤销销号")
    VILLAGE_MERGED = "village_merged", _("撤并村居")
    UNIT_CHANGED = "unit_changed", _("变更代收单位")
    MERGED = "merged", _("并档")
    MERGE_UNDONE = "merge_undone", _("撤销并档")


class ResidentEvent(SharedModel, AppendOnlyModel):
    """One thing that happened to a resident: on which day, told by whom, what it was before and after.

    It stands at the place that did it; a move is read by both sides. ``detail`` holds before and after of plain facts,
    never a number or a whole phone.
    """

    resident = models.ForeignKey(
        Resident, on_delete=models.PROTECT, related_name="events", verbose_name=_("居民")
    )
    kind = models.CharField(_("事项"), max_length=20, choices=EventKind)
    happened_on = models.DateField(_("发生日期"))
    source = models.CharField(_("来源"), max_length=60, blank=True)
    evidence = models.CharField(_("依据"), max_length=200, blank=True)
    detail = models.JSONField(default=dict)
    recorded_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("经办人")
    )
    recorded_at = models.DateTimeField(_("记录时间"), db_default=Now())

    class Meta:
        verbose_name = _("居民经过")
        verbose_name_plural = _("居民经过")


class FormerNumber(SharedModel):
    """A number a resident was known by before: a birth certificate, or one that was wrong. Lists still find him by it."""

    resident = models.ForeignKey(
        Resident, on_delete=models.PROTECT, related_name="former_numbers", verbose_name=_("居民")
    )
    id_kind = models.CharField(_("证件类型"), max_length=20, choices=IdKind)
    number_encrypted = models.BinaryField()
    number_index = models.BinaryField()
    until = models.DateField(_("停用日期"))

    class Meta:
        verbose_name = _("以前的证件号")
        verbose_name_plural = _("以前的证件号")
        constraints = [
            models.UniqueConstraint(fields=["resident", "number_index"], name="former_number_once")
        ]
        indexes = [models.Index(fields=["number_index"], name="former_number_index")]


class TransferState(models.TextChoices):
    """Where a move between two townships stands."""

    OFFERED = "offered", _("等对方接收")
    ACCEPTED = "accepted", _("已接收")
    DECLINED = "declined", _("对方未接收")
    WITHDRAWN = "withdrawn", _("已撤回")


# The one table of its steps: nothing leaves accepted, declined or withdrawn.
TRANSFER_STEPS: dict[str, frozenset[str]] = {
    TransferState.OFFERED: frozenset(
        {TransferState.ACCEPTED, TransferState.DECLINED, TransferState.WITHDRAWN}
    )
}


class Transfer(SharedModel):
    """A move from one township to another (转移单): the old one offers, the new one accepts.

    Until then the new side sees this row alone: name, sex, birth date and two digits, enough to know the person who
    stands at its counter.
    """

    party = models.UUIDField(default=uuid.uuid4, db_index=True)
    """Shared by those who move together: offered and answered at once."""
    resident = models.ForeignKey(
        Resident, on_delete=models.PROTECT, related_name="transfers", verbose_name=_("居民")
    )
    to_unit = models.ForeignKey(
        CollectingUnit, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("迁往"),
    )  # fmt: skip
    name = models.CharField(_("姓名"), max_length=60)
    sex = models.CharField(_("性别"), max_length=6, choices=Sex, blank=True)
    birth_date = models.DateField(_("出生日期"), null=True)
    moved_on = models.DateField(_("迁移日期"))
    evidence = models.CharField(_("依据"), max_length=200)
    with_registrations = models.BooleanField(_("未缴的参保登记一并转去"), default=False)
    state = models.CharField(_("状态"), max_length=10, choices=TransferState, default=TransferState.OFFERED)
    answer = models.CharField(_("答复"), max_length=200, blank=True)
    offered_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("发起人")
    )
    offered_at = models.DateTimeField(_("发起时间"), db_default=Now())
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("答复人")
    )
    decided_at = models.DateTimeField(_("答复时间"), null=True)

    class Meta:
        verbose_name = _("转移单")
        verbose_name_plural = _("转移单")
        constraints = [
            models.UniqueConstraint(
                fields=["resident"], condition=Q(state="offered"), name="transfer_one_open_per_resident"
            )
        ]


class PairVerdict(models.TextChoices):
    """What was decided about two records."""

    SAME = "same", _("同一个人")
    DIFFERENT = "different", _("不是同一个人")
    UNDONE = "undone", _("并档已撤销")


class ResidentPair(PlacedModel):
    """Two records that may be one person, and what was decided: the lower key first, so that a pair is asked once."""

    first = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="+", db_index=False)
    second = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(_("结论"), max_length=10, choices=PairVerdict)
    reason = models.CharField(_("理由"), max_length=200, blank=True)
    moved = models.JSONField(default=dict)
    """What a merge took over, by table and key, so that it can be taken back."""
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("经办人")
    )
    decided_at = models.DateTimeField(_("时间"), db_default=Now())

    class Meta:
        verbose_name = _("疑似重复")
        verbose_name_plural = _("疑似重复")
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="resident_pair_once"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="resident_pair_in_order"),
        ]
