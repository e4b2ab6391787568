"""Postings, to read; they are made on their own page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from django.contrib import admin
from django.db.models import Count, Min
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.decorators import display

from foundation.office import ScopedModelAdmin, Waiting, waits_in_office
from notices.models import Posting
from rosters.models import Roster, RosterKind
from townships.admin_base import TownshipFilter, UnitFilter
from townships.models import User
from townships.rules import may


@admin.register(Posting)
class PostingAdmin(ScopedModelAdmin):
    """公示."""

    list_display = ("shown_roster", "unit", "opens_on", "closes_on", "posted_on", "removed_on", "place")
    list_filter = (TownshipFilter, UnitFilter)
    list_select_related = ("roster", "unit")
    fields = (
        "shown_roster", "unit", "opens_on", "closes_on", "posted_on", "removed_on", "place", "created_by",
        "created_at",
    )  # fmt: skip
    readonly_fields = fields
    ordering = ("-pk",)

    @display(description=_("清册"))
    def shown_roster(self, posting: Posting) -> str:
        """The number of the roster."""
        return posting.roster.number


@waits_in_office
def rosters_to_post(user: User, today: date) -> Iterator[Waiting]:
    """Payment rosters nobody has put up yet."""
    if not may(user.role, "post"):
        return
    found = (
        Roster.objects.visible_to(user)
        .filter(kind=RosterKind.PAYMENT, insurance="", posting=None)
        .aggregate(n=Count("unit", distinct=True), since=Min("sealed_at"))
    )
    if found["n"]:
        yield Waiting(
            title=_("缴费清册还没公示"), since=found["since"], count=found["n"], unit=_("村"),
            url=reverse("notices:list"), button=_("去公示"),
        )  # fmt: skip


@waits_in_office
def lists_to_take_down(user: User, today: date) -> Iterator[Waiting]:
    """Posted lists whose days are over and which still hang."""
    if not may(user.role, "post"):
        return
    found = (
        Posting.objects.visible_to(user)
        .filter(posted_on__isnull=False, removed_on=None, closes_on__lt=today)
        .aggregate(n=Count("pk"), since=Min("closes_on"))
    )
    if found["n"]:
        yield Waiting(
            title=_("公示到期，还没撤下"), since=found["since"], count=found["n"], unit=_("张"),
            url=reverse("notices:list"), button=_("去登记"),
        )  # fmt: skip
