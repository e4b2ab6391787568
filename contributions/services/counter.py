"""A household's payment taken on a page: what was ticked, once, however often the button is pressed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from decimal import Decimal

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contributions.models import Means, Payment, Route
from contributions.services.payments import LineOrder, PaymentOrder, record_payment
from contributions.village import household_members, plan_of
from enrollment.models import CollectionMode, Household
from foundation.http import Problem
from townships.models import Role, User

ZERO = Decimal("0.00")


@transaction.atomic
def take_from_household(
    *,
    by: User,
    household: Household,
    client_uuid: uuid.UUID,
    ticked: Sequence[tuple[int, int]],
    means: str,
    payer_name: str = "",
    paid_for_others: bool = False,
) -> Payment:
    """Record what is open of the ticked charges, (charge, version as shown); amounts come from the charges alone.

    The same ``client_uuid`` again gives the first payment: two presses of a button wait for one another, and the
    second finds everything done. Raises Problem as ``record_payment`` does.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(client_uuid)])
    first: Payment | None = (
        Payment.objects.visible_to(by).filter(client_uuid=client_uuid, recorded_by=by).first()
    )
    if first is not None:
        return first
    plan = plan_of(household.unit)
    members = household_members(by, household.pk, plan) if plan is not None else []
    owed = {row.charge: row for member in members for row, _insurance, _why in member.items}
    if plan is not None and plan.collection_mode == CollectionMode.DIRECT and means == Means.CASH:
        raise Problem(400, "means_not_allowed", _("这个方案不收现金，请用扫码、POS 或转账。"))
    # What was settled since the page was shown is still named in full: the neighbour may have paid twice, and what
    # does not fit becomes an excess with its case.
    lines = tuple(
        LineOrder(owed[charge].registration, charge, version, owed[charge].open or owed[charge].due)
        for charge, version in ticked
        if charge in owed
    )
    order = PaymentOrder(
        client_uuid=client_uuid,
        handed_over_at=timezone.now(),
        route=Route.VILLAGE if by.role == Role.VILLAGE_AGENT else Route.TOWNSHIP_OFFICE,
        means=means,
        lines=lines,
        received=sum((line.amount for line in lines), ZERO),
        household=household.pk,
        payer_name=payer_name or household.head_name,
        paid_for_others=paid_for_others,
    )
    return record_payment(by=by, order=order).payment
