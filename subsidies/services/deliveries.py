"""Note that a department's list was received, in which form and on which day; take a note back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import CollectionPlan
from foundation.audit.services import record
from subsidies.lists import ListLine
from subsidies.models import ListDelivery
from townships.models import Township, User

_LONGEST_NOTE: Final = 120


class DeliveryRefused(Exception):
    """A note that cannot be made; the message is for whoever makes it."""


@transaction.atomic
def note_delivery(
    *,
    by: User,
    plan: CollectionPlan,
    lines: Sequence[ListLine],
    township: Township | None,
    received_on: date,
    forms: frozenset[str],
    note: str,
    today: date,
) -> int:
    """Note that lists came to the township's office, or to the county's (``township`` None). Returns how many.

    ``forms`` are of electronic, paper, sealed; a seal stands on paper. Raises DeliveryRefused without a list or a form,
    and for a day to come. A list noted twice stands twice: each sending is one.
    """
    if not lines:
        raise DeliveryRefused(_("请先勾选收到了哪些名单"))
    if not forms & {"electronic", "paper", "sealed"}:
        raise DeliveryRefused(_("请勾选收到的是电子版、纸质版，还是盖了章的纸质版"))
    if received_on > today:
        raise DeliveryRefused(_("收到日期不能晚于今天"))
    ListDelivery.objects.bulk_create(
        ListDelivery(
            plan=plan,
            kind=line.kind,
            category=line.category,
            agency_kind=line.agency_kind,
            township=township,
            received_on=received_on,
            electronic="electronic" in forms,
            paper=bool(forms & {"paper", "sealed"}),
            sealed="sealed" in forms,
            note=note.strip()[:_LONGEST_NOTE],
            noted_by=by,
        )
        for line in lines
    )
    record(
        by=by,
        action="lists.received",
        target_kind="plan",
        target=plan.code,
        county_code=plan.county.code,
        township_code=township.code if township else "",
        detail={
            "lists": [line.key for line in lines],
            "forms": sorted(forms),
            "on": received_on.isoformat(),
        },
    )
    return len(lines)


@transaction.atomic
def withdraw_delivery(*, by: User, delivery: ListDelivery) -> None:
    """Take a note back that was made by mistake. Raises DeliveryRefused when it was taken back before."""
    done = (
        ListDelivery.objects.standing()
        .filter(pk=delivery.pk)
        .update(withdrawn_at=timezone.now(), withdrawn_by=by)
    )
    if not done:
        raise DeliveryRefused(_("这一条已经撤销过了"))
    record(
        by=by,
        action="lists.withdrawn",
        target_kind="plan",
        target=delivery.plan.code,
        county_code=delivery.plan.county.code,
        township_code=delivery.township.code if delivery.township else "",
        detail={"delivery": delivery.pk},
    )
