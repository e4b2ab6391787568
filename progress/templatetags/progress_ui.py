"""How figures look: percent, signed points, ten thousands of yuan, bars and rings with geometry in attributes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from math import cos, pi, sin
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from foundation.money import format_yuan

register = template.Library()

_TEN_THOUSAND = Decimal(10000)


@register.filter
def pct(value: float | None) -> str:
    """70.8 → 70.8%; a dash where there is nothing to divide by."""
    return "—" if value is None else f"{value:.1f}%"


@register.filter
def plain_pct(value: float) -> str:
    """A printed target: 95 → 95%, 97.5 → 97.5%."""
    return f"{value:g}%"


@register.filter
def signed(value: float | None) -> str:
    """8.6 → +8.6, −1.2 with a real minus; a dash for nothing to compare with."""
    if value is None:
        return "—"
    return f"−{-value:.1f}" if value < 0 else f"+{value:.1f}"


@register.filter
def heads(value: int | None) -> str:
    """12345 → 12,345; a dash for nothing known."""
    return "—" if value is None else f"{value:,}".replace("-", "−")


@register.filter
def money(amount: Decimal | None) -> SafeString:
    """From ten thousand yuan on in 万元, less in 元, two decimals either way."""
    value = amount or Decimal("0.00")
    if abs(value) >= _TEN_THOUSAND:
        return format_html("{}<small> {}</small>", format_yuan(round(value / _TEN_THOUSAND, 2)), _("万元"))
    return format_html("{}<small> {}</small>", format_yuan(value), _("元"))


@register.filter
def short_date(day: date | None) -> str:
    """11月30日."""
    return "" if day is None else _("%(month)d月%(day)d日") % {"month": day.month, "day": day.day}


@register.filter
def of(mapping: Mapping[str, Any], key: str) -> Any:
    """The entry of a mapping under a key."""
    return mapping.get(key)


@register.filter
def minus(value: Any, other: Any) -> Any:
    """Difference of two numbers."""
    return value - other


@register.filter
def absolute(value: Any) -> Any:
    """The number without its sign."""
    return abs(value)


@register.filter
def days_to(day: date | None, today: date) -> int:
    """Days from a day until today."""
    return 0 if day is None else (today - day).days


@register.simple_tag
def bar(value: float | None, label: str, kind: str = "", mark: float | None = None) -> SafeString:
    """A bar of ``value`` percent, spoken as ``label``; ``mark`` draws a target."""
    width = min(max(value or 0.0, 0.0), 100.0)
    goal = (
        format_html('<rect class="bar__mark" x="{}" width="1" height="12"></rect>', min(mark, 100) - 0.5)
        if mark is not None
        else ""
    )
    return format_html(
        '<svg class="bar" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="bar__track" width="100" height="12"></rect>'
        '<rect class="bar__fill{}" width="{}" height="12"></rect>{}</svg>',
        label,
        f" bar__fill--{kind}" if kind else "",
        width,
        goal,
    )


@register.simple_tag
def ring(value: float | None, label: str, kind: str = "", time_gone: float | None = None) -> SafeString:
    """A ring of ``value`` percent with the time gone as a black line across it."""
    line: Any = ""
    if time_gone is not None:
        angle = 2 * pi * time_gone / 100
        inner, outer = 40.0, 59.0
        line = format_html(
            '<line class="ring__time" x1="{}" y1="{}" x2="{}" y2="{}" stroke-width="2.5"></line>',
            *(
                f"{60 + radius * (sin(angle) if axis == 'x' else -cos(angle)):.1f}"
                for radius in (inner, outer)
                for axis in ("x", "y")
            ),
        )
    return format_html(
        '<svg class="ring" viewBox="0 0 120 120" role="img" aria-label="{}">'
        '<circle class="ring__track" cx="60" cy="60" r="50" stroke-width="13"></circle>'
        '<circle class="ring__fill{}" cx="60" cy="60" r="50" stroke-width="13" pathLength="100"'
        ' stroke-dasharray="{} 100" transform="rotate(-90 60 60)"></circle>{}'
        '<text x="60" y="68" font-size="{}">{}</text></svg>',
        label,
        f" ring__fill--{kind}" if kind else "",
        min(max(value or 0.0, 0.0), 100.0),
        line,
        25 if value is None or value < 100 else 22,
        pct(value),
    )
