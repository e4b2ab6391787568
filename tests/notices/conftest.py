"""The season of the rosters' tests."""

from __future__ import annotations

from tests.rosters.conftest import village

__all__ = ["village"]
