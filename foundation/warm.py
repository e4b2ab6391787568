"""What a server process does before its first request, so that nobody waits for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.urls import get_resolver


def warm_up() -> int:
    """Load the addresses and parse our templates once. Returns how many templates are ready.

    A template that cannot be parsed is left for the request that asks for it, which tells it in full.
    """
    assert get_resolver().url_patterns
    ready = 0
    folders: Any = settings.TEMPLATES[0]["DIRS"]
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.html")):
            try:
                get_template(str(path.relative_to(folder)))
                ready += 1
            except (TemplateDoesNotExist, TemplateSyntaxError):
                continue
    return ready
