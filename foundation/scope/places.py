"""Who may see which places: the vocabulary shared by both walls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Places:
    """Township ids seen whole, and single collecting units seen beside them."""

    townships: frozenset[int] = field(default_factory=frozenset)
    units: frozenset[int] = field(default_factory=frozenset)

    def __bool__(self) -> bool:
        return bool(self.townships or self.units)


class HasPlaces(Protocol):
    """Anything with a scope: a user, or a job running for one."""

    def scope_places(self) -> Places: ...


NOWHERE = Places()
