"""What a payment's body must look like, and what comes back."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from contributions.models import Means, Route
from contributions.services.payments import LineOrder, PaymentOrder

BIGGEST_ID = 2**63 - 1
BIGGEST_VERSION = 2**31 - 1
# A device whose clock stands outside these has lost its time; nothing was collected this way then.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class InstantField(serializers.DateTimeField):
    """A moment as ISO 8601 with its offset: without one nobody knows which moment is meant."""

    def enforce_timezone(self, value: datetime) -> datetime:
        """Aware and believable, else a ValidationError; called with whatever was parsed."""
        if value.tzinfo is None:
            raise serializers.ValidationError(
                _("时间要带时区，例如 2022-11-30T09:15:00+08:00。"), code="no_offset"
            )
        if not EARLIEST <= value <= LATEST:
            raise serializers.ValidationError(_("时间不对，请检查设备的日期。"), code="far_off")
        return super().enforce_timezone(value)


class UuidField(serializers.UUIDField):
    """A UUID as text; a bare number is a mistake of the sender, not a key."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class IdField(serializers.IntegerField):
    """The key of a row of ours."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_value", BIGGEST_ID)
        super().__init__(min_value=0, **options)


class LineSerializer(serializers.Serializer[Any]):
    """One quoted part."""

    registration = IdField()
    charge = IdField()
    version = serializers.IntegerField(min_value=1, max_value=BIGGEST_VERSION)
    tier = serializers.DecimalField(max_digits=12, decimal_places=2, required=False, allow_null=True)
    amount = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=Decimal("0.00"))


class PaymentSerializer(serializers.Serializer[Any]):
    """One handing over of money."""

    client_uuid = UuidField()
    device = UuidField(required=False, allow_null=True)
    handed_over_at = InstantField()
    household = IdField(required=False, allow_null=True)
    payer_name = serializers.CharField(max_length=60, required=False, allow_blank=True, default="")
    paid_for_others = serializers.BooleanField(required=False, default=False)
    route = serializers.ChoiceField(choices=Route.choices)
    means = serializers.ChoiceField(choices=Means.choices)
    received = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=Decimal("0.00"))
    sequence = IdField(required=False, allow_null=True)
    # A household has fewer; a body of thousands is no household.
    lines = serializers.ListField(child=LineSerializer(), allow_empty=False, max_length=200)

    def order(self) -> PaymentOrder:
        """The validated body as the service takes it."""
        data = dict(self.validated_data)
        lines = tuple(LineOrder(**line) for line in data.pop("lines"))
        return PaymentOrder(lines=lines, **data)


class ReverseSerializer(serializers.Serializer[Any]):
    """Why a payment is taken back."""

    client_uuid = UuidField()
    reason = serializers.CharField(max_length=200)


class AnsweredLineSerializer(serializers.Serializer[Any]):
    """A stored part."""

    registration = serializers.IntegerField()
    charge = serializers.IntegerField()
    version = serializers.IntegerField()
    insurance = serializers.CharField()
    amount = serializers.CharField()


class StoredLineSerializer(AnsweredLineSerializer):
    """A stored part and whether the tax side has confirmed it."""

    resident = serializers.IntegerField()
    name = serializers.CharField()
    confirmed_on = serializers.DateField(allow_null=True)
    settled_on = serializers.DateField(allow_null=True)


class AnsweredCaseSerializer(serializers.Serializer[Any]):
    """Something to settle about the payment."""

    case = serializers.IntegerField()
    kind = serializers.CharField()
    amount = serializers.CharField()
    message = serializers.CharField()


class PaymentAnswerSerializer(serializers.Serializer[Any]):
    """The first answer, the same on every replay."""

    payment = serializers.IntegerField()
    state = serializers.CharField()
    slip_number = serializers.CharField()
    received = serializers.CharField()
    excess = serializers.CharField()
    lines = AnsweredLineSerializer(many=True)
    cases = AnsweredCaseSerializer(many=True)


class StoredPaymentSerializer(serializers.Serializer[Any]):
    """A payment as it stands now."""

    payment = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["recorded", "confirmed", "contradicted", "reversed", "reversal"])
    slip_number = serializers.CharField()
    received = serializers.CharField()
    excess = serializers.CharField()
    lines = StoredLineSerializer(many=True)
    cases = AnsweredCaseSerializer(many=True)
    payer_name = serializers.CharField()
    paid_for_others = serializers.BooleanField()
    route = serializers.CharField()
    means = serializers.CharField()
    handed_over_at = serializers.DateTimeField()
    paid_on = serializers.DateField()
    reverses = serializers.IntegerField(allow_null=True)
    reversed_by = serializers.IntegerField(allow_null=True)


class ExplainedShareSerializer(serializers.Serializer[Any]):
    """Who pays which part of an amount, by which rule, in the paper's own words."""

    payer = serializers.CharField()
    amount = serializers.CharField()
    rule = serializers.CharField()
    clause = serializers.CharField()
    lines = serializers.CharField()


class SaidSerializer(serializers.Serializer[Any]):
    """A sentence of why, with the clause it stands on."""

    text = serializers.CharField()
    rule = serializers.CharField()
    clause = serializers.CharField()
    lines = serializers.CharField()


class ExplainedChargeSerializer(serializers.Serializer[Any]):
    """Why a resident owes what he owes for one insurance."""

    insurance = serializers.CharField()
    decision = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    timing = serializers.CharField(allow_null=True)
    rule = serializers.CharField()
    clause = serializers.CharField()
    lines = serializers.CharField()
    benefit_start = serializers.DateField(allow_null=True)
    benefit_end = serializers.DateField(allow_null=True)
    shares = ExplainedShareSerializer(many=True)
    warnings = serializers.ListField(child=serializers.CharField())
    why = SaidSerializer(many=True)


class ExplanationSerializer(serializers.Serializer[Any]):
    """Every yuan of a resident's charges with its clause."""

    charges = ExplainedChargeSerializer(many=True)


def _quotes() -> serializers.Serializer[Any]:
    """What is due at a tier, by a route, between two days (``from`` is a keyword, hence the mapping)."""
    return inline_serializer(
        name="Quote",
        fields={
            "tier": serializers.CharField(allow_null=True),
            "route": serializers.CharField(allow_null=True),
            "from": serializers.DateField(allow_null=True),
            "to": serializers.DateField(allow_null=True),
            "personal_amount": serializers.CharField(),
        },
        many=True,
    )


class ChargeSerializer(serializers.Serializer[Any]):
    """What a resident owes for one insurance, and why."""

    registration = serializers.IntegerField()
    charge = serializers.IntegerField()
    version = serializers.IntegerField()
    insurance = serializers.CharField()
    decision = serializers.CharField()
    why = serializers.CharField()
    due = serializers.CharField()
    paid = serializers.CharField()
    quotes = _quotes()


class FoundResidentSerializer(serializers.Serializer[Any]):
    """A resident as the agent's list shows him; the number is masked."""

    resident = serializers.IntegerField()
    name = serializers.CharField()
    number_masked = serializers.CharField()
    household = serializers.IntegerField(allow_null=True)
    house_number = serializers.CharField()
    head = serializers.CharField()
    charges = ChargeSerializer(many=True)


class ResidentPageSerializer(serializers.Serializer[Any]):
    """A page of residents; ``next`` is the cursor of the following one, null at the end."""

    next = serializers.CharField(allow_null=True)
    results = FoundResidentSerializer(many=True)
