"""Acts on residents and households, new enrollees, moves between townships, places: forms that call one service."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Min
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from contributions.register import forms
from contributions.register.acts import Act, acts_for, acts_of_home, find, wanted_of
from contributions.register.pages import household_page
from contributions.services.register.enrol import enrol_newcomer
from contributions.services.register.moves import NewHome, accept_transfer
from contributions.services.register.places import change_unit
from enrollment.models import Household, IdKind, PoliceRecord, Resident, Transfer, TransferState
from enrollment.services.life import moves
from enrollment.services.life.people import Newcomer
from enrollment.services.life.places import merge_villages
from foundation.clock.services import offset
from foundation.office import Waiting, waits_in_office
from townships.access import user_who_may
from townships.models import User, Village
from townships.rules import may


def _resident(user: User, pk: int) -> Resident:
    row: Resident | None = (
        Resident.objects.visible_to(user)
        .filter(pk=pk, merged_into=None)
        .select_related("unit__township", "household")
        .first()
    )
    if row is None:
        raise Http404
    return row


def _household(user: User, pk: int) -> Household:
    row: Household | None = (
        Household.objects.visible_to(user)
        .filter(pk=pk)
        .select_related("unit__township", "merged_into")
        .first()
    )
    if row is None:
        raise Http404
    return row


def _perform(request: HttpRequest, user: User, act: Act, about: Any) -> tuple[forms.ActForm, bool]:
    """The act's form, filled in by what was sent; True when it is done."""
    form = act.form(user, about, request.POST if request.method == "POST" else None)
    form.suggest(request.GET.dict())
    if request.method != "POST" or not form.is_valid():
        return form, False
    try:
        said = act.run(user, about, form.cleaned_data, form)
    except ValidationError as error:
        form.refuse(error)
        return form, False
    messages.success(request, said)
    return form, True


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def act_on_resident(request: HttpRequest, pk: int, slug: str) -> HttpResponse:
    """One act on a resident: what it asks for; done, back to his page, or to where he can still be seen."""
    user = user_who_may(request, "keep_register")
    person = _resident(user, pk)
    act = find(acts_for(user, person), slug)
    if act is None:
        raise Http404
    form, done = _perform(request, user, act, person)
    if done:
        return redirect("admin:enrollment_resident_change", pk)
    context = {"act": act, "form": form, "person": person, "home": person.household}
    return render(request, "register/act.html", context, status=_status(form))


def _status(form: forms.ActForm) -> int:
    return 422 if form.is_bound and form.errors else 200


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def act_on_household(request: HttpRequest, pk: int, slug: str) -> HttpResponse:
    """One act on a household."""
    user = user_who_may(request, "keep_register")
    home = _household(user, pk)
    count = home.residents.filter(merged_into=None, left_on=None).count()
    act = find(acts_of_home(user, home, count), slug)
    if act is None:
        raise Http404
    form, done = _perform(request, user, act, home)
    if done:
        return redirect("register:household", pk)
    return render(
        request, "register/act.html", {"act": act, "form": form, "home": home}, status=_status(form)
    )


@login_required
@never_cache
@require_http_methods(["GET"])
def household(request: HttpRequest, pk: int) -> HttpResponse:
    """A household and what may be done with it."""
    user = _reader(request)
    return render(request, "register/household.html", household_page(user, _household(user, pk)))


def _reader(request: HttpRequest) -> User:
    user = user_who_may(request, "read_residents")
    if user.role == "village_agent":
        raise PermissionDenied  # the agent has the round
    return user


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def newcomer(request: HttpRequest) -> HttpResponse:
    """A new enrollee: papers, person, insurances on one page, before any money is taken."""
    user = user_who_may(request, "keep_register")
    home = _asked_home(request, user)
    form = forms.NewcomerForm(user, home, request.POST if request.method == "POST" else None)
    if request.GET.get("newborn"):
        form.start("id_kind", IdKind.BIRTH_CERTIFICATE)
    form.suggest(_known_to_police(request, user))
    if request.method == "POST" and form.is_valid():
        try:
            person = _enrol(user, form)
        except ValidationError as error:
            form.refuse(error)
        else:
            messages.success(request, _("%(name)s已登记，应缴在下面，可以收钱了。") % {"name": person.name})
            return redirect("admin:enrollment_resident_change", person.pk)
    context = {"form": form, "home": home, "newborn": bool(request.GET.get("newborn"))}
    return render(request, "register/newcomer.html", context, status=_status(form))


def _asked_home(request: HttpRequest, user: User) -> Household | None:
    pk = request.GET.get("household", "")
    return _household(user, int(pk)) if pk.isdecimal() and len(pk) < 19 else None


def _known_to_police(request: HttpRequest, user: User) -> dict[str, str]:
    """What the police's register says of somebody who is not in ours; the number is typed from the paper."""
    pk = request.GET.get("police", "")
    record = (
        PoliceRecord.objects.visible_to(user).filter(pk=int(pk)).first()
        if pk.isdecimal() and len(pk) < 19
        else None
    )
    if record is None:
        return {}
    return {
        "unit": str(record.unit_id), "name": record.name, "relation": record.relation, "address": record.address
    }  # fmt: skip


def _enrol(user: User, form: forms.NewcomerForm) -> Resident:
    data = form.cleaned_data
    unit = forms.unit_of(form.units, data["unit"])
    assert unit is not None
    home = None
    if data["home"] == "join":
        home = Household.objects.held_by(user).filter(
            unit=unit, number=data["household_number"].strip(), merged_into=None
        ).first()  # fmt: skip
        if home is None:
            raise ValidationError({"household_number": _("这个村里没有这个户编号，请核对，或者选立新户。")})
    person = Newcomer(
        name=data["name"], id_kind=data["id_kind"], number=data["number"], birth_date=data["birth_date"],
        sex=data["sex"], relation=data["relation"], phone=data["phone"], address=data["address"],
        registration_area=data["registration_area"], residence_permit=data["residence_permit"] or "false",
    )  # fmt: skip
    return enrol_newcomer(
        by=user, unit=unit, newcomer=person, wanted=wanted_of(form, data), on=data["on"], household=home,
        household_number=data["household_number"] if home is None else "",
    )  # fmt: skip


@login_required
@never_cache
@require_http_methods(["GET"])
def transfers(request: HttpRequest) -> HttpResponse:
    """Moves between townships: who comes and waits for an answer, who was offered, what was answered lately."""
    user = _reader(request)
    rows = list(
        Transfer.objects.visible_to(user)
        .select_related("to_unit__township", "unit__township", "offered_by", "decided_by")
        .order_by("-offered_at", "pk")[:300]
    )
    shift = offset(user.county_code)
    for row in rows:  # moments are real; the county's own day stands on the page
        row.offered_at += shift
        row.decided_at = row.decided_at + shift if row.decided_at is not None else None
    own = {row.pk for row in Transfer.objects.held_by(user).filter(pk__in=[row.pk for row in rows])}
    parties: dict[uuid.UUID, list[Transfer]] = {}
    for row in rows:
        parties.setdefault(row.party, []).append(row)
    open_parties = [p for p in parties.values() if p[0].state == TransferState.OFFERED]
    receives = {p[0].pk for p in open_parties if moves.may_receive(user, p[0].to_unit)}
    context = {
        "incoming": [p for p in open_parties if p[0].pk in receives],
        "outgoing": [p for p in open_parties if p[0].pk in own and p[0].pk not in receives],
        "answered": [p for p in parties.values() if p[0].state != TransferState.OFFERED][:50],
        "may_keep": may(user.role, "keep_register"),
    }
    return render(request, "register/transfers.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def accept(request: HttpRequest, party: uuid.UUID) -> HttpResponse:
    """Take a party in: into which house."""
    user = user_who_may(request, "keep_register")
    rows = [row for row in moves.receiving(user, party) if row.state == TransferState.OFFERED]
    if not rows:
        raise Http404
    form = forms.AcceptForm(user, None, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        home = NewHome(
            number=data["household_number"], new=data["home"] == "new", group_name=data["group_name"],
            house_number=data["house_number"],
        )  # fmt: skip
        try:
            people = accept_transfer(by=user, party=party, home=home)
        except ValidationError as error:
            form.refuse(error)
        else:
            messages.success(request, _("已接收 %(n)s 人。") % {"n": len(people)})
            return redirect("admin:enrollment_resident_change", people[0].pk)
    context = {"form": form, "rows": rows, "first": rows[0]}
    return render(request, "register/accept.html", context, status=_status(form))


@login_required
@never_cache
@require_POST
def answer(request: HttpRequest, party: uuid.UUID) -> HttpResponse:
    """Do not take a party in, or take an own offer back."""
    user = user_who_may(request, "keep_register")
    try:
        if request.POST.get("act") == "withdraw":
            moves.withdraw(by=user, party=party)
            messages.success(request, _("转移单已撤回，人和登记都没有动。"))
        else:
            moves.decline(by=user, party=party, answer=request.POST.get("answer", ""))
            messages.success(request, _("已答复对方。"))
    except Transfer.DoesNotExist:
        raise Http404 from None
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("register:transfers")


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def places(request: HttpRequest) -> HttpResponse:
    """Villages merged, units changed: for who keeps the county's places."""
    user = user_who_may(request, "merge_places")
    asked = request.POST.get("act", "")
    village_form = _village_form(user, request.POST if asked == "village" else None)
    unit_form = forms.UnitChangeForm(user, None, request.POST if asked == "unit" else None)
    form = {"village": village_form, "unit": unit_form}.get(asked)
    if form is not None and form.is_valid():
        try:
            said = _change_places(user, asked, form.cleaned_data)
        except ValidationError as error:
            form.refuse(error)
        else:
            messages.success(request, said)
            return redirect("register:places")
    merged = (
        Village.objects.filter(township__county=user.county_id)
        .exclude(successor=None)
        .select_related("township", "successor")
        .order_by("-valid_to", "code")
    )
    context = {"village_form": village_form, "unit_form": unit_form, "merged": merged}
    return render(request, "register/places.html", context, status=_status(form) if form is not None else 200)


def _village_form(user: User, data: Any) -> forms.VillageMergeForm:
    form = forms.VillageMergeForm(user, None, data)
    villages = (
        Village.objects.filter(township__county=user.county_id, successor=None)
        .select_related("township")
        .order_by("township__position", "position", "code")
    )
    groups: dict[str, list[tuple[int, str]]] = {}
    for village in villages:
        groups.setdefault(village.township.name, []).append((village.pk, village.name))
    for name in ("village", "into"):
        form.fields[name].choices = [("", _("请选择")), *groups.items()]  # type: ignore[attr-defined]
    return form


def _change_places(user: User, act: str, data: dict[str, Any]) -> str:
    if act == "village":
        moved = merge_villages(
            by=user,
            village=int(data["village"]),
            into=int(data["into"]),
            on=data["on"],
            evidence=data["evidence"],
        )
        return _("已并村：%(h)s 户 %(p)s 人归到新村。本季的清册、应缴和缴费没有动，两个村名都能查到。") % {
            "h": moved.households, "p": moved.residents,
        }  # fmt: skip
    wanted = data["households"].replace("，", " ").replace(",", " ").replace("、", " ").split()
    chosen = None
    if wanted:
        found = dict(
            Household.objects.held_by(user)
            .filter(unit=int(data["unit"]), number__in=wanted)
            .values_list("number", "pk")
        )
        if unknown := [number for number in wanted if number not in found]:
            raise ValidationError(
                {"households": _("没有这些户编号：%(n)s。") % {"n": "、".join(unknown[:10])}}
            )
        chosen = list(found.values())
    moved = change_unit(
        by=user, unit=int(data["unit"]), to_unit=int(data["to_unit"]), on=data["on"], evidence=data["evidence"],
        households=chosen,
    )  # fmt: skip
    return _("已变更：%(h)s 户 %(p)s 人。本季的登记和钱留在原来的单位，新的一季由新单位收。") % {
        "h": moved.households, "p": moved.residents,
    }  # fmt: skip


@waits_in_office
def people_to_receive(user: User, today: date) -> Iterator[Waiting]:
    """Moves into the user's township that wait for an answer."""
    if not may(user.role, "keep_register") or user.sees_county:
        return
    rows = Transfer.objects.visible_to(user).filter(
        state=TransferState.OFFERED, to_unit__township__in=user.scope_places().townships
    )
    counted = rows.aggregate(n=Count("pk"), since=Min("offered_at"))
    if counted["n"]:
        yield Waiting(
            title=_("别的镇街转来的人等接收"), since=counted["since"], count=counted["n"], unit=_("人"),
            url=reverse("register:transfers"), button=_("去接收"),
        )  # fmt: skip
