"""The season of the rosters' tests, and the county of the government's lists."""

from __future__ import annotations

from tests.funding.conftest import town
from tests.rosters.conftest import village

__all__ = ["town", "village"]
