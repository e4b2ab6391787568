"""Data of the synthetic county: shapes of plans, names, how offices head their lists."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def load(name: str) -> dict[str, Any]:
    """Read `<name>.yaml` of this folder once."""
    text = Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded
