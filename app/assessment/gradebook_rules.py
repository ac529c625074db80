"""What a learner's grades come to. Pure functions; the formula is told in docs/guides/en/gradebook.md.

A mark's share is its points over what was possible, 0 to 1. A group (a category, or all items where there are no
categories) has the mean of its items' shares, each weighing its weight, or else its points: without weights that is
the sum of points over the sum of possible points. The total is the mean of the categories that have a mean, each
weighing its weight. Extra credit adds to what is reached and not to what is possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum
from uuid import UUID

CENT, TENTH = Decimal("0.01"), Decimal("0.1")
ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
# Quotients like 1/3 are cut at FINE, so that sums of them are exact and in any order the same; once rounded at EXACT, a
# half is a half again.
DIGITS, FINE, EXACT = 60, Decimal("1e-30"), Decimal("1e-25")


@dataclass(frozen=True, slots=True)
class Category:
    """Items that are averaged together; the ``drop_lowest`` worst of a learner's marks in it do not count."""

    id: UUID
    weight: Decimal
    drop_lowest: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is graded, worth ``points``; it weighs ``weight`` in its group, or its points without one."""

    id: UUID
    points: Decimal
    category_id: UUID | None = None
    weight: Decimal | None = None
    is_extra_credit: bool = False
    is_excluded: bool = False

    @property
    def weighs(self) -> Decimal:
        """Its weight in its group."""
        return self.points if self.weight is None else self.weight


@dataclass(frozen=True, slots=True)
class Mark:
    """What a learner has reached of ``possible``; nothing yet: None. A hidden one is not known to who looks."""

    reached: Decimal | None = None
    possible: Decimal = ONE
    is_excused: bool = False
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A mark as it stands in the gradebook: in the item's points, to two places, and whether it counts."""

    points: Decimal | None
    percent: Decimal | None
    counts: bool = False
    is_dropped: bool = False


@dataclass(frozen=True, slots=True)
class Total:
    """What somebody's cells come to; ``percent`` is None while nothing counts.

    ``reached`` and ``possible`` are the sums of the points that count.
    """

    cells: Mapping[UUID, Cell]
    means: Mapping[UUID, Decimal | None]
    percent: Decimal | None
    reached: Decimal
    possible: Decimal


@dataclass(slots=True)
class _Counted:
    item: Item
    share: Decimal
    is_dropped: bool = False


NOTHING = Mark()


def total(
    items: Sequence[Item], categories: Sequence[Category], marks: Mapping[UUID, Mark], *, ungraded_as_zero: bool = False
) -> Total:
    """What one learner's marks come to. The order of what is given makes no difference.

    With categories, an item in none of them does not count. Ungraded items count once they are graded, or as zero if
    that is asked for; hidden ones never do, and so tell nothing by the total.
    """
    with localcontext() as context:
        context.prec = DIGITS
        known = {category.id for category in categories}
        groups: dict[UUID | None, list[_Counted]] = {key: [] for key in known} or {None: []}
        counted: dict[UUID, _Counted] = {}
        shares = {item.id: _share(marks.get(item.id, NOTHING)) for item in items}
        for item in items:
            share = _counting(item, marks.get(item.id, NOTHING), shares[item.id], ungraded_as_zero)
            group = groups.get(item.category_id if known else None)
            if share is not None and group is not None:
                counted[item.id] = _Counted(item, share)
                group.append(counted[item.id])
        means: dict[UUID | None, Decimal | None] = {}
        for category in categories:
            _drop(groups[category.id], category.drop_lowest)
        for key, group in groups.items():
            means[key] = _mean(group)
        percent = _weighted(categories, means) if known else means[None]
        cells = {item.id: _cell(item, shares[item.id], counted.get(item.id)) for item in items}
        kept = [found for found in counted.values() if not found.is_dropped]
        return Total(
            cells,
            {category.id: _rounded(means[category.id]) for category in categories},
            _rounded(percent),
            sum((cells[found.item.id].points or ZERO for found in kept), ZERO),
            sum((found.item.points for found in kept if not found.item.is_extra_credit), ZERO),
        )


def _share(mark: Mark) -> Decimal | None:
    """0 to 1; something without points is done when it is handed in, as quizzes have it."""
    if mark.reached is None or mark.is_hidden:
        return None
    return ONE if mark.possible <= 0 else min(max((mark.reached / mark.possible).quantize(FINE), ZERO), ONE)


def _counting(item: Item, mark: Mark, share: Decimal | None, ungraded_as_zero: bool) -> Decimal | None:
    if item.is_excluded or mark.is_excused or mark.is_hidden:
        return None
    return ZERO if share is None and ungraded_as_zero else share


def _drop(group: Sequence[_Counted], lowest: int) -> None:
    """Mark the worst as dropped, never all of them. Of equal marks the one that weighs most goes, then by identifier.

    As none of those that stay is worse, and extra credit stays, the mean never falls.
    """
    if lowest == 0:
        return
    worst = sorted(
        (found for found in group if not found.item.is_extra_credit and found.item.weighs > 0),
        key=lambda found: (found.share, -found.item.weighs, found.item.id),
    )
    for found in worst[: min(lowest, len(worst) - 1)] if worst else ():
        found.is_dropped = True


def _mean(group: Sequence[_Counted]) -> Decimal | None:
    kept = [found for found in group if not found.is_dropped]
    possible = sum((found.item.weighs for found in kept if not found.item.is_extra_credit), ZERO)
    if possible <= 0:
        return None
    return (sum((found.item.weighs * found.share for found in kept), ZERO) / possible).quantize(FINE)


def _weighted(categories: Sequence[Category], means: Mapping[UUID | None, Decimal | None]) -> Decimal | None:
    """Categories without a mean leave their weight to the others."""
    reached = possible = ZERO
    for category in categories:
        mean = means[category.id]
        if mean is not None:
            reached += category.weight * mean
            possible += category.weight
    return reached / possible if possible > 0 else None


def _cell(item: Item, share: Decimal | None, counted: _Counted | None) -> Cell:
    is_dropped = counted is not None and counted.is_dropped
    counts = counted is not None and not is_dropped
    if share is None:
        return Cell(None, None, counts, is_dropped)
    return Cell(_cents(share * item.points), _rounded(share), counts, is_dropped)


def _rounded(share: Decimal | None) -> Decimal | None:
    return None if share is None else _cents(share * HUNDRED)


def _cents(value: Decimal) -> Decimal:
    return value.quantize(EXACT).quantize(CENT, ROUND_HALF_UP)


class Scale(StrEnum):
    """How a total in percent is told."""

    CHILEAN = "chilean"
    LETTERS = "letters"


@dataclass(frozen=True, slots=True)
class Band:
    """A word for everything from so many percent on."""

    label: str
    least: Decimal


EXIGENCY = Decimal(60)
LETTERS = (Band("A", Decimal(90)), Band("B", Decimal(80)), Band("C", Decimal(70)), Band("D", Decimal(60)),
           Band("F", ZERO))  # fmt: skip


def grade(
    percent: Decimal | None, scale: Scale | None, *, exigency: Decimal = EXIGENCY, bands: Sequence[Band] = LETTERS
) -> str | None:
    """A total as the course's scale tells it; None without a total or a scale."""
    if percent is None or scale is None:
        return None
    if scale == Scale.CHILEAN:
        return str(chilean(percent, exigency))
    return next(
        (band.label for band in sorted(bands, key=lambda band: band.least, reverse=True) if percent >= band.least), None
    )


def chilean(percent: Decimal, exigency: Decimal = EXIGENCY) -> Decimal:
    """A Chilean grade, 1.0 to 7.0, to one place, half up: 4.0 at the exigency, a straight line on either side of it.

    Below: 1 + 3 * percent / exigency; from it on: 4 + 3 * (percent - exigency) / (100 - exigency).
    """
    with localcontext() as context:
        context.prec = DIGITS
        bounded = min(max(percent, ZERO), HUNDRED)
        if bounded < exigency:
            found = 1 + 3 * bounded / exigency
        else:
            found = 4 + 3 * (bounded - exigency) / (HUNDRED - exigency)
        return found.quantize(EXACT).quantize(TENTH, ROUND_HALF_UP)
