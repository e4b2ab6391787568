"""The door, each role's way home, and the demonstration's buttons."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from portal.forms import SignInForm
from townships.models import Role, User
from townships.rules import OFFICE_ROLES

# The demonstration's buttons, in the order of the mock-up: role, icon, what that person does.
DEMONSTRATION_ROLES: list[tuple[Role, str, str]] = [
    (Role.COUNTY_LEADER, "chart", gettext_noop("谁落后、走到哪、钱安全吗")),
    (Role.TOWNSHIP_CLERK, "home", gettext_noop("看今天要办的，收名单、核清册")),
    (Role.VILLAGE_AGENT, "users", gettext_noop("按户收缴，平板和手机都行")),
    (Role.TAX_BUREAU, "card", gettext_noop("下清册，回传缴费，核对入库")),
    (Role.MEDICAL_BUREAU, "heart", gettext_noop("核身份，同步标识，办退费")),
    (Role.HR_BUREAU, "user", gettext_noop("养老登记、档次和补缴")),
    (Role.FINANCE_BUREAU, "bank", gettext_noop("审请款单，拨代缴资金")),
    (Role.DEPARTMENT, "doc", gettext_noop("报名单，改退回的行")),
    (Role.AUDITOR, "eye", gettext_noop("什么都能看，什么都不能改")),
    (Role.ADMIN, "gear", gettext_noop("账号、设备、备份")),
]


def _wanted(request: HttpRequest) -> str:
    """Where the person wanted to go, if it is a page of ours."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else ""


def demonstration_users() -> dict[str, User]:
    """The demonstration's account of each role: named as its role. Empty outside the demonstration."""
    if not settings.DEMONSTRATION:
        return {}
    names = [role.value for role in Role]
    accounts = User.objects.filter(username__in=names, is_active=True)
    return {user.role: user for user in accounts if user.username == user.role}


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "POST"])
def door(request: HttpRequest) -> HttpResponse:
    """Sign in. An address is no help to a guesser: locking is by user name (axes)."""
    form = SignInForm(request, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        login(request, form.get_user())
        return HttpResponseRedirect(_wanted(request) or reverse("portal:home"))
    accounts = demonstration_users()
    context: dict[str, Any] = {
        "form": form,
        "next": _wanted(request),
        "roles": [(role, icon, says) for role, icon, says in DEMONSTRATION_ROLES if role in accounts],
    }
    return render(request, "portal/door.html", context, status=400 if form.errors else 200)


@require_POST
def demonstration_enter(request: HttpRequest) -> HttpResponse:
    """Sign in as a role's account by one button: in the demonstration alone, 404 anywhere else."""
    account = demonstration_users().get(request.POST.get("role", ""))
    if account is None:
        raise Http404
    login(request, account, backend="django.contrib.auth.backends.ModelBackend")
    return redirect("portal:home")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session and go back to the door."""
    logout(request)
    return redirect("portal:door")


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Each role's own home."""
    user = request.user
    assert user.is_authenticated
    if user.role in OFFICE_ROLES:
        return redirect("admin:index")
    if user.role == Role.COUNTY_LEADER:
        try:
            return redirect("progress:county")
        except NoReverseMatch:
            return render(request, "portal/nothing.html")
    unit = user.units.order_by("position", "code").first()
    if unit is None:
        return render(request, "portal/nothing.html")
    return redirect("village:round", unit.code)
