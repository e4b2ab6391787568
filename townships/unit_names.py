"""Townships and collecting units by the names senders write: official names, short ones, aliases, codes, addresses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from foundation.names import normalise_division, normalise_township
from foundation.scope.places import Places
from townships.models import CollectingUnit, County, Township, Village

# Remembered answers: a file of rubbish must not fill the memory.
_REMEMBERED: Final = 100_000
_SHORTEST_STEM: Final = 2


class TownshipNames:
    """A county's townships by name; offices of a township count as it (山城街道办事处)."""

    def __init__(self, county: County) -> None:
        self.ids: dict[str, int] = {}
        self.codes: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        for township in Township.objects.filter(county=county):
            self.ids[township.code] = township.pk
            for name in (township.name, township.short_name, *township.aliases, township.code):
                self.codes.setdefault(normalise_township(name), township.code)
            if len(township.short_name) > 1:
                self._stems[township.short_name] = township.code

    def code(self, name: str) -> str:
        """The township's code, empty for a name nobody knows."""
        return self.codes.get(normalise_township(name), "")

    def find(self, name: str) -> int | None:
        """The township's key, None for a name nobody knows."""
        return self.ids.get(self.code(name))

    def spoken_of(self, text: str) -> str:
        """The code of the township an office's name speaks of (滕州市税务局荆河税务分局); empty when it names none."""
        found = max((stem for stem in self._stems if stem in text), key=len, default="") if text else ""
        return self._stems.get(found, "")

    def in_address(self, text: str) -> tuple[str, str]:
        """The code of the township an address names, and what follows it; empty when it names none."""
        named = max((name for name in self.codes if len(name) > 1 and name in text), key=len, default="")
        return (self.codes[named], text.partition(named)[2]) if named else ("", "")


class UnitPlace(NamedTuple):
    """A unit with its place; ``allowed`` when the importer may write there. Numbers are text, ready for COPY."""

    unit: str
    township: str
    village: str
    allowed: bool


class Units(dict[tuple[str, str], UnitPlace | None]):
    """(township, village) as the sender wrote them to the collecting unit; remembered as they come.

    Names are compared without their committee's name (柳泉村委会, 柳泉); aliases count. Without a township the
    village must be the only one of its name in the county. None when nobody knows it.
    """

    def __init__(self, county: County, places: Places) -> None:
        super().__init__()
        self._exact: dict[tuple[str, str], UnitPlace] = {}
        self._alone: dict[str, UnitPlace | None] = {}
        self.townships = TownshipNames(county)
        self._addresses: dict[str, UnitPlace | None] = {}
        # Names of villages by township and first two characters, for finding them in addresses.
        self._begins: dict[tuple[str, str], list[tuple[str, UnitPlace]]] = {}
        units = (
            CollectingUnit.objects.filter(township__county=county, village__isnull=False)
            .select_related("township", "village")
            .order_by("position", "pk")
        )
        rows = list(units)
        for unit in rows:
            self._add(unit, places, (unit.name, unit.code))
        # A village answers by its own unit; units of villages merged into it keep to their own names.
        own = {unit.village_id for unit in rows if unit.code == _village(unit).code}
        for unit in rows:
            if unit.code == _village(unit).code or unit.village_id not in own:
                self._add(unit, places, (*_names(unit), _village(unit).code))
        for (township_code, stem), place in self._exact.items():
            if len(stem) >= _SHORTEST_STEM and not stem.isascii():
                self._begins.setdefault((township_code, stem[:_SHORTEST_STEM]), []).append((stem, place))
        for begun in self._begins.values():
            begun.sort(key=lambda pair: -len(pair[0]))

    def _add(self, unit: CollectingUnit, places: Places, names: Iterable[str]) -> None:
        village = _village(unit)
        place = UnitPlace(
            str(unit.pk),
            str(unit.township_id),
            str(village.pk),
            unit.township_id in places.townships or unit.pk in places.units,
        )
        for key in {name if name.isdigit() else normalise_division(name) for name in names}:
            first = self._exact.setdefault((unit.township.code, key), place)
            if first.unit != place.unit and first.township == place.township:
                continue  # an alias of what another unit of the township is called itself
            known = self._alone.get(key, place)
            self._alone[key] = place if known is not None and known.unit == place.unit else None

    def in_address(self, text: str) -> UnitPlace | None:
        """The unit an address speaks of (滕州市荆河街道荆庄1号): its township, then the village named first after it."""
        if text in self._addresses:
            return self._addresses[text]
        if len(self._addresses) > _REMEMBERED:
            self._addresses.clear()
        found = self._addresses[text] = self._find_address(text)
        return found

    def _find_address(self, text: str) -> UnitPlace | None:
        code, rest = self.townships.in_address(text)
        for at in range(len(rest) - 1):
            # Of two that begin here, 东李庄 is meant and not 东李: longest first.
            for stem, unit in self._begins.get((code, rest[at : at + _SHORTEST_STEM]), ()):
                if rest.startswith(stem, at):
                    return unit
        return None

    def __missing__(self, key: tuple[str, str]) -> UnitPlace | None:
        township, village = key
        stem = normalise_division(village)
        if township:
            code = self.townships.code(township)
            found = self._exact.get((code, stem)) if code else None
        else:
            found = self._alone.get(stem)
        if len(self) > _REMEMBERED:
            self.clear()
        self[key] = found
        return found


def _village(unit: CollectingUnit) -> Village:
    assert unit.village is not None
    return unit.village


def _names(unit: CollectingUnit) -> tuple[str, ...]:
    village = _village(unit)
    return (unit.name, village.name, village.short_name, *village.aliases)
