"""The desk as a fixture."""

from __future__ import annotations

import pytest

from tests.imports.office import Desk, make_desk


@pytest.fixture
def desk(db: None) -> Desk:
    """A county's desk for files."""
    return make_desk()
