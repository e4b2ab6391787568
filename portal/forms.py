"""The door's form."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    """User name and password; one sentence for every failure, so that it tells nobody which names exist."""

    error_messages = {
        "invalid_login": _("用户名或密码不对。连错五次会锁住 15 分钟。"),
        "inactive": _("用户名或密码不对。连错五次会锁住 15 分钟。"),
    }
    username = forms.CharField(label=_("用户名"), max_length=150)
    password = forms.CharField(label=_("密码"), strip=False, widget=forms.PasswordInput)
