"""The household register of the police, as last delivered: beside ours, never mixed with it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from enrollment.models.register import Sex
from townships.models import PlacedModel, Village


class PoliceRecord(PlacedModel):
    """One person of the police's household register (公安户籍), at the collecting unit of its address.

    Filled by the import kind ``household_register``; the comparison with our residents reads it and writes nothing
    here. A person the police no longer hold keeps the row with why and since when.
    """

    county_id = models.IntegerField(_("县区"))
    village = models.ForeignKey(
        Village, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("村居"),
    )  # fmt: skip
    household_number = models.CharField(_("公安户号"), max_length=40, blank=True)
    head_name = models.CharField(_("户主"), max_length=60, blank=True)
    relation = models.CharField(_("与户主关系"), max_length=20, blank=True)
    name = models.CharField(_("姓名"), max_length=60)
    number_encrypted = models.BinaryField()
    number_index = models.BinaryField()
    birth_date = models.DateField(_("出生日期"), null=True)
    sex = models.CharField(_("性别"), max_length=6, choices=Sex, blank=True)
    address = models.CharField(_("住址"), max_length=120, blank=True)
    death_date = models.DateField(_("死亡日期"), null=True, blank=True)
    cancelled_on = models.DateField(_("注销日期"), null=True, blank=True)
    cancelled_why = models.CharField(_("注销原因"), max_length=20, blank=True)
    batch = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("公安户籍")
        verbose_name_plural = _("公安户籍")
        constraints = [
            models.UniqueConstraint(
                fields=["county_id", "number_index"], name="police_record_once_per_number"
            )
        ]
        indexes = [models.Index(fields=["unit", "household_number"], name="police_unit_household")]
