"""Payments, what has to be settled about them, and what the tax side says. Money is read here; a service reverses."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from contributions.models import OWN_PARTS, Payment, PaymentCase, PaymentLine, TaxEntry
from contributions.services.payments import reverse_payment
from foundation.audit.models import AuditEvent
from foundation.clock.services import offset
from foundation.http import Problem
from foundation.money import format_yuan
from foundation.office import ScopedModelAdmin, Waiting, waits_in_office
from townships.admin_base import TownshipFilter, UnitFilter, signed_in
from townships.models import User
from townships.rules import may, permits

UNCONFIRMED_AFTER = timedelta(days=3)


@admin.register(Payment)
class PaymentAdmin(ScopedModelAdmin):
    """缴费记录."""

    list_display = ("slip", "paid_on", "payer", "unit", "amount", "how", "state", "recorded_by")
    list_filter = (
        TownshipFilter,
        UnitFilter,
        ("route", ChoicesDropdownFilter),
        ("means", ChoicesDropdownFilter),
        ("paid_on", RangeDateFilter),
    )
    list_select_related = ("unit", "recorded_by")
    search_fields = ("payer_name",)
    search_help_text = gettext_lazy("登记号或缴款人")
    ordering = ("-pk",)
    audit_kind = "payment"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        lines = PaymentLine.objects.filter(payment=OuterRef("pk"))
        rows: QuerySet[Any] = super().get_queryset(request)
        told: QuerySet[Any] = rows.annotate(
            open_lines=Exists(lines.filter(tax_entry=None)),
            was_reversed=Exists(Payment.objects.filter(reverses=OuterRef("pk"))),
        )
        return told.all()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(payer_name__startswith=term)
        if term.isdigit() and len(term) <= 18:
            found |= Q(pk=int(term))
        return queryset.filter(found), False

    @display(description=gettext_lazy("登记号"))
    def slip(self, payment: Payment) -> str:
        """The number on the slip."""
        return payment.slip_number

    @display(description=gettext_lazy("缴款人"))
    def payer(self, payment: Payment) -> str:
        """Who paid."""
        return payment.payer_name or "—"

    @display(description=gettext_lazy("金额"))
    def amount(self, payment: Payment) -> SafeString:
        """Yuan received, negative for a reversal."""
        return format_html('<span class="num">{}</span>', format_yuan(payment.received))

    @display(description=gettext_lazy("方式"))
    def how(self, payment: Payment) -> str:
        """Channel, else means."""
        return payment.channel or str(payment.get_means_display())

    @display(description=gettext_lazy("状态"))
    def state(self, payment: Any) -> SafeString:
        """Recorded, confirmed, reversed."""
        return format_html('<span class="state {}">{}</span>', *payment_state(payment))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One payment with its lines, its cases and, where it may be, its reversal."""
        payment = self.get_object(request, object_id)
        if payment is None or not self.has_view_permission(request, payment):
            raise Http404
        if request.method == "POST":
            return self._reverse(request, payment)
        user = signed_in(request)
        lines = (
            PaymentLine.objects.visible_to(user)
            .filter(payment=payment)
            .select_related("registration__resident", "tax_entry")
            .order_by("pk")
        )
        reversal = Payment.objects.visible_to(user).filter(reverses=payment).first()
        context = {
            "payment": payment,
            "handed_over_at": payment.handed_over_at + offset(user.county_code),
            "state": payment_state(payment),
            "lines": lines,
            "cases": PaymentCase.objects.visible_to(user).filter(payment=payment).order_by("pk"),
            "reversal": reversal,
            "may_reverse": may(user.role, "collect")
            and reversal is None
            and payment.reverses_id is None
            and not any(getattr(line, "tax_entry", None) for line in lines),
            "reversal_uuid": uuid.uuid4(),
            "events": AuditEvent.objects.filter(target_kind="payment", target=str(payment.pk))
            .select_related("actor")
            .order_by("-id")[:20],
            **(extra_context or {}),
        }
        response = TemplateResponse(request, "office/payment.html", context)
        response.own_page = True  # type: ignore[attr-defined]
        return response

    def _reverse(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        user = signed_in(request)
        if not may(user.role, "collect"):
            raise PermissionDenied
        try:
            key = uuid.UUID(request.POST.get("client_uuid", ""))
        except ValueError:
            raise Http404 from None
        try:
            reverse_payment(
                by=user, payment=payment.pk, client_uuid=key, reason=request.POST.get("reason", "")
            )
            messages.success(request, _("已冲销。原来的记录还在，另记了一笔负数。"))
        except Problem as problem:
            messages.error(request, problem.message)
        return HttpResponseRedirect(request.path)


def payment_state(payment: Any) -> tuple[str, str]:
    """(colour, word) of a payment annotated with ``open_lines`` and ``was_reversed``."""
    if payment.reverses_id is not None:
        return "", _("冲销")
    if payment.was_reversed:
        return "", _("已冲销")
    return ("state--go", _("待税务回传")) if payment.open_lines else ("state--done", _("税务已确认"))


@admin.register(PaymentCase)
class PaymentCaseAdmin(ScopedModelAdmin):
    """待处理事项."""

    list_display = ("kind", "unit", "yuan", "shown_payment", "state", "opened_at", "outcome")
    list_filter = (
        TownshipFilter,
        UnitFilter,
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
    )
    list_select_related = ("unit", "payment")
    fields = ("kind", "unit", "yuan", "shown_payment", "state", "opened_at", "outcome", "closed_at")
    readonly_fields = fields
    ordering = ("state", "opened_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Settled by refund, allocation or reversal, never by typing."""
        return False

    @display(description=gettext_lazy("金额"))
    def yuan(self, case: PaymentCase) -> str:
        """Yuan in question."""
        return format_yuan(case.amount)

    @display(description=gettext_lazy("缴费"))
    def shown_payment(self, case: PaymentCase) -> SafeString | str:
        """The payment it is about."""
        if case.payment is None:
            return "—"
        url = reverse("admin:contributions_payment_change", args=[case.payment_id])
        return format_html('<a href="{}">{}</a>', url, case.payment.slip_number)


@admin.register(TaxEntry)
class TaxEntryAdmin(ScopedModelAdmin):
    """税务回传."""

    list_display = (
        "voucher_tail",
        "insurance",
        "yuan",
        "unit",
        "invoiced_on",
        "settled_on",
        "channel",
        "matched",
    )
    list_filter = (
        TownshipFilter,
        UnitFilter,
        ("insurance", ChoicesDropdownFilter),
        ("invoiced_on", RangeDateFilter),
    )
    list_select_related = ("unit",)
    fields = (
        "voucher",
        "insurance",
        "coverage_year",
        "yuan",
        "unit",
        "invoiced_on",
        "settled_on",
        "channel",
        "matched",
    )
    readonly_fields = fields
    search_fields = ("voucher",)
    search_help_text = gettext_lazy("电子税票号码")
    ordering = ("-pk",)

    @display(description=gettext_lazy("税票尾号"))
    def voucher_tail(self, entry: TaxEntry) -> str:
        """Enough to recognise it."""
        return entry.voucher[-8:]

    @display(description=gettext_lazy("金额"))
    def yuan(self, entry: TaxEntry) -> str:
        """Yuan."""
        return format_yuan(entry.amount)

    @display(description=gettext_lazy("对上了"), boolean=True)
    def matched(self, entry: TaxEntry) -> bool:
        """Whether it confirms a payment line."""
        return entry.payment_line_id is not None


@waits_in_office
def cases_open(user: User, today: date) -> Iterator[Waiting]:
    """Money that was taken and has to be settled, by kind."""
    if not permits(user.role, "contributions.paymentcase"):
        return
    rows = (
        PaymentCase.objects.visible_to(user)
        .filter(state="open")
        .values("kind")
        .annotate(n=Count("pk"), since=Min("opened_at"), amount=Sum("amount"))
        .order_by("kind")
    )
    kinds = dict(PaymentCase._meta.get_field("kind").flatchoices)
    for row in rows:
        yield Waiting(
            title=str(kinds.get(row["kind"], row["kind"])), since=row["since"], count=row["n"], unit=_("笔"),
            note=_("%(amount)s 元") % {"amount": format_yuan(row["amount"])} if row["amount"] else "",
            url=f"{reverse('admin:contributions_paymentcase_changelist')}?state__exact=open&kind__exact={row['kind']}",
            button=_("去处理"),
        )  # fmt: skip


@waits_in_office
def unconfirmed(user: User, today: date) -> Iterator[Waiting]:
    """Paid more than three days ago and not confirmed by the tax side."""
    if not permits(user.role, "contributions.payment"):
        return
    lines = (
        PaymentLine.objects.visible_to(user)
        .filter(
            part__in=OWN_PARTS, tax_entry=None, amount__gt=0, payment__paid_on__lt=today - UNCONFIRMED_AFTER
        )
        .filter(payment__reversal=None)
        .aggregate(n=Count("pk"), since=Min("payment__paid_on"), amount=Sum("amount"))
    )
    if lines["n"]:
        yield Waiting(
            title=_("缴了超 3 天没回传"), since=lines["since"], count=lines["n"], unit=_("笔"),
            note=_("%(amount)s 元") % {"amount": format_yuan(lines["amount"])},
            url=f"{reverse('admin:contributions_payment_changelist')}?paid_on_to={today - UNCONFIRMED_AFTER - timedelta(days=1)}",
            button=_("去核对"),
        )  # fmt: skip
