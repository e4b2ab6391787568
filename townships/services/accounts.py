"""Accounts: given to posts, changed with a trail; whoever's post changes signs in again."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authtoken.models import Token

from foundation.audit.services import record
from townships.models import COUNTY_ROLES, Agency, CollectingUnit, County, Role, Township, User

_STAYS: Any = object()


def new_password() -> str:
    """A random password a person can type: 16 characters without look-alikes."""
    letters = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(letters) for _n in range(16))


@transaction.atomic
def create_account(
    *,
    by: Any,
    username: str,
    role: str,
    county: County,
    password: str,
    display_name: str = "",
    agency: Agency | None = None,
    townships: Iterable[Township] = (),
    units: Iterable[CollectingUnit] = (),
) -> User:
    """Give a post an account. Raises ValidationError for a taken name, a weak password or a scope that does not fit.

    County roles see their county; a clerk needs townships of it, an agent collecting units of it.
    """
    townships, units = list(townships), list(units)
    check_scope(role, county, townships, units)
    user = User(
        username=User.normalize_username(username), role=role, county=county, display_name=display_name, agency=agency
    )  # fmt: skip
    validate_password(password, user)
    user.set_password(password)
    user.full_clean()
    user.save()
    user.townships.set(townships)
    user.units.set(units)
    record(
        by=by, action="account.create", target_kind="user", target=user.pk, county_code=county.code,
        detail=_summary(user, townships, units),
    )  # fmt: skip
    return user


@transaction.atomic
def change_account(
    *,
    by: Any,
    user: User,
    role: str = _STAYS,
    display_name: str = _STAYS,
    agency: Agency | None = _STAYS,
    townships: Iterable[Township] = _STAYS,
    units: Iterable[CollectingUnit] = _STAYS,
    is_active: bool = _STAYS,
    password: str = _STAYS,
) -> User:
    """Change a post's account; what is not named stays. Any change of role, scope, password or state ends its sessions.

    Raises ValidationError for a scope that does not fit, or for taking one's own account away.
    """
    user = User.objects.select_for_update(of=("self",)).select_related("county").get(pk=user.pk)
    before = _summary(user, user.townships.all(), user.units.all())
    if user.county is None:
        raise ValidationError(_("这个账号没有县区，不能在这里改。"))
    if role is not _STAYS:
        user.role = role
    new_townships = list(user.townships.all() if townships is _STAYS else townships)
    new_units = list(user.units.all() if units is _STAYS else units)
    check_scope(user.role, user.county, new_townships, new_units)
    if display_name is not _STAYS:
        user.display_name = display_name
    if agency is not _STAYS:
        user.agency = agency
    if is_active is not _STAYS:
        if not is_active and by is not None and by.pk == user.pk:
            raise ValidationError(_("不能停用自己的账号。"))
        user.is_active = is_active
    if password is not _STAYS:
        validate_password(password, user)
        user.set_password(password)
    user.save()
    user.townships.set(new_townships)
    user.units.set(new_units)
    after = _summary(user, new_townships, new_units)
    if before != after or password is not _STAYS:
        end_sessions(user)
    record(
        by=by, action="account.change", target_kind="user", target=user.pk, county_code=user.county.code,
        detail={"before": before, "after": after, "password": password is not _STAYS},
    )  # fmt: skip
    return user


def end_sessions(user: User) -> int:
    """Sign a person out everywhere, API tokens included; returns how many sessions ended."""
    mine = [
        session.pk
        for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator()
        if session.get_decoded().get("_auth_user_id") == str(user.pk)
    ]
    Session.objects.filter(pk__in=mine).delete()
    Token.objects.filter(user=user).delete()
    return len(mine)


def check_scope(role: str, county: County, townships: list[Township], units: list[CollectingUnit]) -> None:
    """Raise ValidationError where role and places do not fit."""
    if role not in Role.values:
        raise ValidationError(_("没有这个角色。"))
    if any(township.county_id != county.pk for township in townships) or any(
        unit.township.county_id != county.pk for unit in units
    ):
        raise ValidationError(_("镇街和代收单位都要在本县区内。"))
    if role == Role.TOWNSHIP_CLERK and not townships:
        raise ValidationError(_("镇街经办要选至少一个镇街。"))
    if role == Role.VILLAGE_AGENT and not units:
        raise ValidationError(_("村代办员要选至少一个代收单位。"))
    if role in COUNTY_ROLES and (townships or units):
        raise ValidationError(_("这个角色看全县区，不用再选镇街或代收单位。"))


def _summary(user: User, townships: Iterable[Township], units: Iterable[CollectingUnit]) -> dict[str, Any]:
    return {
        "role": str(user.role),
        "active": user.is_active,
        "townships": sorted(township.code for township in townships),
        "units": sorted(unit.code for unit in units),
    }
