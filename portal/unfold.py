"""The admin theme in our tokens: the same blue, the same greys, no dark mode, no name of its own."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static


def _style(name: str) -> Any:
    return lambda request: static(f"css/{name}.css")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "portal.context.site_title",
    "SITE_HEADER": "portal.context.site_title",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/logo.svg")}
    ],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": False,
    "THEME": "light",
    "BORDER_RADIUS": "8px",
    "STYLES": [_style(name) for name in ("tokens", "components", "office", "print", "admin")],
    # css/tokens.css: action and the greys around ink, ground and line.
    "COLORS": {
        "base": {
            "50": "#f7f9fb",
            "100": "#eef2f6",
            "200": "#d8dee5",
            "300": "#bcc6d0",
            "400": "#77838f",
            "500": "#596776",
            "600": "#465362",
            "700": "#33404d",
            "800": "#22303d",
            "900": "#16202b",
            "950": "#0d151d",
        },
        "primary": {
            "50": "#f2f7fc",
            "100": "#e8f0f9",
            "200": "#cbdff2",
            "300": "#9cc1e6",
            "400": "#5f97d1",
            "500": "#2f72bd",
            "600": "#1f5fa8",
            "700": "#1a5292",
            "800": "#174a85",
            "900": "#123a68",
            "950": "#0b2545",
        },
    },
}
