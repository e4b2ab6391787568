"""What templates say in one word: an icon of our sprite, yuan with separators, a bar's width."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from foundation.money import format_yuan

register = template.Library()


@register.simple_tag
def icon(name: str, kind: str = "") -> SafeString:
    """An icon of ``static/img/icons.svg``; hidden from readers, since a word stands beside it."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#i-{}"></use></svg>',
        f" {kind}" if kind else "",
        static("img/icons.svg"),
        name,
    )


@register.simple_block_tag
def each(content: SafeString, lines: Iterable[Mapping[str, object]]) -> SafeString:
    """The block once a line, its ``{names}`` filled in from the line and escaped.

    For lists of hundreds: what is the same in every line (links, icons, translated words) is rendered once.
    """
    return format_html_join("", content, lines)


@register.filter
def yuan(amount: Decimal | None) -> str:
    """1234.5 → 1,234.50; nothing for None."""
    return "" if amount is None else format_yuan(amount)


@register.filter
def percent(part: Any, whole: Any) -> str:
    """Share in percent with one decimal; a dash where there is nothing to divide by."""
    return f"{100 * float(part) / float(whole):.1f}" if whole else "—"


@register.filter
def count(number: int | None) -> str:
    """12345 → 12,345."""
    return "0" if number is None else f"{number:,}"


@register.filter
def chinese_date(day: date | None) -> str:
    """2022年9月1日, as official papers write dates; 1 September 2022 for who reads English."""
    if day is None:
        return ""
    chinese = (get_language() or "zh").startswith("zh")
    return f"{day.year}年{day.month}月{day.day}日" if chinese else date_format(day, "j F Y")


@register.filter
def whole_days(moment: Any) -> int:
    """Whole days since a moment or a day, counted as a calendar does."""
    day = timezone.localtime(moment).date() if hasattr(moment, "hour") else moment
    return max((timezone.localdate() - day).days, 0)
