"""The part of a frozen summary that somebody of some townships sees."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from progress import rules
from seasons.services.summary import AMOUNTS, HEADS
from seasons.services.summary_paper import ordered


def narrowed(summary: dict[str, Any], codes: Collection[str]) -> dict[str, Any]:
    """The townships with these codes alone and their sums; what is kept for the county as a whole is left out."""
    townships = [each for each in summary["townships"] if each["code"] in codes]
    insurances = {}
    for name, whole in ordered(summary["insurances"], summary):
        parts = [each["insurances"][name] for each in townships if name in each["insurances"]]
        heads = {key: sum(part[key] for part in parts) for key in HEADS}
        amounts = {
            key: f"{sum((Decimal(part[key]) for part in parts), Decimal('0.00')):.2f}" for key in AMOUNTS
        }
        targets = [part["target"] for part in parts if part["target"] is not None]
        target = sum(targets) if targets else None
        insurances[name] = {
            **heads,
            **amounts,
            "label": whole["label"],
            "target": target,
            "completion_rate": parts[0]["completion_rate"] if len(parts) == 1 else None,
            "due_paid_rate": rules.rate(heads["paid"] + heads["exempt"], heads["in_scope"]),
        }
    return summary | {
        "townships": townships, "insurances": insurances, "printed_targets": {}, "payers": [], "tiers": [], "cases": [],
    }  # fmt: skip
