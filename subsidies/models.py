"""Rules as rows: condition over facts, effect, payer shares, clause with its lines."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from enrollment.models import CollectionPlan, Insurance


class Rule(models.Model):
    """A rule (规则) of a plan. Every rule cites its clause."""

    id = models.AutoField(primary_key=True)
    plan = models.ForeignKey(
        CollectionPlan, on_delete=models.CASCADE, related_name="rules", verbose_name=_("方案")
    )
    code = models.CharField(_("代码"), max_length=60)
    insurance = models.CharField(_("险种"), max_length=8, choices=Insurance, blank=True)
    kind = models.CharField(_("类型"), max_length=30)
    position = models.IntegerField(_("顺序"), default=0)
    name = models.CharField(_("名称"), max_length=120, blank=True)
    condition = models.JSONField(_("条件"), default=dict)
    effect = models.JSONField(_("结果"), default=dict)
    shares = models.JSONField(_("分担"), default=list)
    clause = models.TextField(_("条文"))
    lines = models.CharField(_("行"), max_length=40)

    class Meta:
        verbose_name = _("规则")
        verbose_name_plural = _("规则")
        constraints = [
            models.UniqueConstraint(fields=["plan", "code"], name="rule_code_once_per_plan"),
            models.CheckConstraint(condition=~Q(clause=""), name="rule_cites_its_clause"),
        ]

    def __str__(self) -> str:
        return self.name or self.code
