"""Registration data whose people stand on a sealed roster stays: the paper names them."""

from __future__ import annotations

from django.utils.translation import gettext as _

from enrollment.models import Registration
from foundation.imports.engine.changes import made_by
from foundation.imports.engine.context import Context
from rosters.models import Roster, RosterLine


def sealed_rosters(ctx: Context) -> list[str]:
    """Why a registration batch stays: rosters sealed since with the people it registered."""
    registered = Registration.objects.filter(made_by(ctx, "enrollment_registration"))
    lines = RosterLine.objects.filter(
        resident_id__in=registered.values("resident_id"), unit_id__in=registered.values("unit_id")
    )
    rosters = Roster.objects.filter(
        pk__in=lines.values("roster_id"),
        sealed_at__gte=ctx.batch.applied_at,
        plan__in=registered.values("plan_id"),
    ).count()
    return [_("本批登记的人已列入 %(n)s 份清册") % {"n": rosters}] if rosters else []
