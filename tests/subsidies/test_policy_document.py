"""docs/policy.md lists every setting with its values and the plans that use it, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from subsidies.queries import PLANS
from subsidies.rules.plan import OWN_REASONS, REASONS
from subsidies.rules.settings import ALIASES, SETTINGS

TEXT = (Path(settings.BASE_DIR) / "docs" / "policy.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].strip("` "): [cell.strip() for cell in cells[1:]]
    for line in TEXT.splitlines()
    if line.startswith("| `") and len(cells := line.strip("|").split("|")) == 4
}


def test_every_setting_is_documented_with_its_values() -> None:
    assert ROWS.keys() == SETTINGS.keys()
    for name, setting in SETTINGS.items():
        assert all(value in ROWS[name][0].split(" · ") for value in setting.values), name


def test_the_plans_that_use_a_setting_are_named() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in PLANS.glob("*.yaml")}
    for name, row in ROWS.items():
        word = re.compile(rf"(?<![\w.]){re.escape(name)}(?![\w.])")
        users = {code for code, text in texts.items() if word.search(text)}
        assert set(re.findall(r"[a-z]+-\d{4}", row[2])) == users, name


def test_reasons_and_other_names_are_documented() -> None:
    for word in (*REASONS, *OWN_REASONS, *ALIASES):
        assert word in TEXT
