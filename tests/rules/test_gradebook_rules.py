"""What grades come to: the documented formula on examples, and its properties on everything else."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assessment.gradebook_rules import (
    LETTERS,
    Band,
    Category,
    Item,
    Mark,
    Scale,
    Total,
    chilean,
    grade,
    total,
)
from tests.rules.trying import tried

D = Decimal


def key(number: int) -> UUID:
    return UUID(int=number)


def item(number: int, points: str = "10", category: int | None = None, **more: object) -> Item:
    return Item(key(number), D(points), None if category is None else key(category), **more)  # type: ignore[arg-type]


def of(reached: str | None, possible: str = "10", **more: bool) -> Mark:
    return Mark(None if reached is None else D(reached), D(possible), **more)


def marks(*reached: str | None) -> dict[UUID, Mark]:
    return {key(number): of(found) for number, found in enumerate(reached, 1)}


def told(found: Total) -> tuple[str | None, str, str]:
    return (None if found.percent is None else str(found.percent), str(found.reached), str(found.possible))


def test_without_categories_it_is_the_sum_of_points() -> None:
    items = [item(1, "10"), item(2, "30")]
    found = total(items, [], {key(1): of("10"), key(2): of("15", "30")})
    assert told(found) == ("62.50", "25.00", "40")
    assert [str(cell.percent) for cell in found.cells.values()] == ["100.00", "50.00"]


def test_a_weight_stands_in_for_the_points() -> None:
    items = [item(1, "10", weight=D(3)), item(2, "30", weight=D(1))]
    assert told(total(items, [], {key(1): of("10"), key(2): of("15", "30")}))[0] == "87.50"


def test_categories_are_weighed_by_their_means() -> None:
    items = [item(1, category=101), item(2, category=101), item(3, category=102)]
    categories = [Category(key(101), D(30)), Category(key(102), D(70))]
    found = total(items, categories, marks("10", "5", "4"))
    assert found.means == {key(101): D("75.00"), key(102): D("40.00")}
    assert told(found) == ("50.50", "19.00", "30")  # 0.3 * 75 + 0.7 * 40


def test_a_category_without_grades_leaves_its_weight_to_the_others() -> None:
    items = [item(1, category=101), item(2, category=102)]
    categories = [Category(key(101), D(30)), Category(key(102), D(70))]
    found = total(items, categories, marks("8", None))
    assert (told(found)[0], found.means[key(102)]) == ("80.00", None)


def test_an_item_in_no_category_does_not_count_where_there_are_categories() -> None:
    found = total([item(1, category=101), item(2)], [Category(key(101), D(1))], marks("8", "0"))
    assert told(found) == ("80.00", "8.00", "10")
    assert not found.cells[key(2)].counts


def test_ungraded_items_do_not_count_until_graded_or_count_as_zero() -> None:
    items = [item(1), item(2)]
    assert told(total(items, [], marks("8", None)))[0] == "80.00"
    assert told(total(items, [], marks("8", None), ungraded_as_zero=True)) == ("40.00", "8.00", "20")
    assert told(total(items, [], {})) == (None, "0", "0")


def test_hidden_scores_count_neither_as_they_are_nor_as_zero() -> None:
    found = total([item(1), item(2)], [], {key(1): of("8"), key(2): of("1", is_hidden=True)}, ungraded_as_zero=True)
    assert told(found) == ("80.00", "8.00", "10")
    assert found.cells[key(2)].points is None


def test_excused_and_excluded_items_count_out_of_the_total() -> None:
    items = [item(1), item(2), item(3, is_excluded=True)]
    found = total(items, [], {**marks("8", None, "0"), key(2): of("0", is_excused=True)}, ungraded_as_zero=True)
    assert told(found) == ("80.00", "8.00", "10")


def test_extra_credit_adds_and_is_no_part_of_what_is_possible() -> None:
    items = [item(1), item(2, "2", is_extra_credit=True)]
    assert told(total(items, [], {key(1): of("10"), key(2): of("1", "2")})) == ("110.00", "11.00", "10")
    assert told(total(items, [], {key(2): of("2", "2")}))[0] is None


def test_the_lowest_are_dropped_of_equal_ones_the_heaviest_and_never_all() -> None:
    items = [item(1, "10", 101), item(2, "20", 101), item(3, "10", 101)]
    given_ = {key(1): of("5"), key(2): of("10", "20"), key(3): of("9")}
    found = total(items, [Category(key(101), D(1), 1)], given_)
    assert [cell.is_dropped for cell in found.cells.values()] == [False, True, False]
    assert told(found) == ("70.00", "14.00", "20")
    assert told(total(items, [Category(key(101), D(1), 9)], given_))[0] == "90.00"


def test_a_score_of_other_points_is_told_in_the_items_points() -> None:
    found = total([item(1, "20")], [], {key(1): of("1", "3")})
    assert (told(found)[0], found.cells[key(1)].points) == ("33.33", D("6.67"))
    assert told(total([item(1, "20")], [], {key(1): of("-1", "3")}))[0] == "0.00"
    assert told(total([item(1, "20")], [], {key(1): of("0", "0")}))[0] == "100.00"


def test_halves_are_rounded_up_also_behind_thirds() -> None:
    items = [item(number, "1") for number in range(1, 4)]
    found = total(items, [], {key(1): of("1", "3"), key(2): of("1", "3"), key(3): of("0.83345", "1")})
    assert told(found)[0] == "50.00"  # (2/3 + 0.83345) / 3 = 0.50003888...
    assert told(total([item(1)], [], {key(1): of("5.0005")}))[0] == "50.01"
    assert told(total(items[:2], [], {key(1): of("1", "3"), key(2): of("2", "3")}))[0] == "50.00"


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        ("0", "1.0"), ("10", "1.5"), ("30", "2.5"), ("45", "3.3"), ("58.99", "3.9"), ("59", "4.0"), ("59.99", "4.0"),
        ("60", "4.0"), ("70", "4.8"), ("80", "5.5"), ("90", "6.3"), ("99.33", "6.9"), ("99.34", "7.0"), ("100", "7.0"),
        ("115", "7.0"), ("-3", "1.0"),
    ],
)  # fmt: skip
def test_the_chilean_scale_with_sixty_percent_exigency(percent: str, expected: str) -> None:
    assert str(chilean(D(percent))) == expected


@pytest.mark.parametrize(("exigency", "percent", "expected"), [("50", "50", "4.0"), ("70", "35", "2.5"),
                                                               ("70", "85", "5.5"), ("50", "75", "5.5")])  # fmt: skip
def test_the_chilean_scale_with_another_exigency(exigency: str, percent: str, expected: str) -> None:
    assert str(chilean(D(percent), D(exigency))) == expected


def test_letters_and_no_scale() -> None:
    told_ = [grade(D(percent), Scale.LETTERS) for percent in ("100", "90", "89.99", "70", "60", "59.99", "0")]
    assert told_ == ["A", "A", "B", "C", "D", "F", "F"]
    own = (Band("Logrado", D(60)), Band("Por lograr", D(0)))
    assert [grade(D(p), Scale.LETTERS, bands=own) for p in ("60", "59")] == ["Logrado", "Por lograr"]
    assert grade(D(50), None) is None
    assert grade(None, Scale.CHILEAN) is None
    assert grade(D(60), Scale.CHILEAN) == "4.0"
    assert [band.label for band in LETTERS] == ["A", "B", "C", "D", "F"]


# --- properties

CATEGORIES = (101, 102)
points = st.decimals(0, 200, places=2)
weights = st.none() | st.decimals(0, 9, places=1)
a_mark = st.builds(
    lambda reached, possible, excused, hidden: Mark(reached, possible, excused, hidden),
    st.none() | st.decimals(-5, 300, places=3),
    st.decimals(0, 200, places=2),
    st.booleans(),
    st.booleans(),
)


@st.composite
def books(draw: st.DrawFn, extra: bool = True) -> tuple[list[Item], list[Category], dict[UUID, Mark], bool]:
    """Items, categories (or none), one learner's marks, and whether what is ungraded counts as zero."""
    chosen = draw(st.sets(st.sampled_from(CATEGORIES)))
    categories = [Category(key(n), draw(st.decimals(0, 100, places=1)), draw(st.integers(0, 4))) for n in chosen]
    items = [
        Item(
            key(number), draw(points), draw(st.sampled_from([None, *(key(n) for n in CATEGORIES)])), draw(weights),
            extra and draw(st.booleans()), draw(st.booleans()),
        )
        for number in range(1, draw(st.integers(1, 8)) + 1)
    ]  # fmt: skip
    found = {one.id: draw(a_mark) for one in items if draw(st.booleans())}
    return items, categories, found, draw(st.booleans())


Book = tuple[list[Item], list[Category], dict[UUID, Mark], bool]


@tried(40)
@given(books(extra=False))
def test_a_total_is_between_0_and_100_without_extra_credit(book: Book) -> None:
    items, categories, given_, zero = book
    found = total(items, categories, given_, ungraded_as_zero=zero)
    for percent in (found.percent, *found.means.values()):
        assert percent is None or 0 <= percent <= 100


@tried(40)
@given(books())
def test_a_total_is_never_below_0_and_a_cell_never_above_100(book: Book) -> None:
    items, categories, given_, zero = book
    found = total(items, categories, given_, ungraded_as_zero=zero)
    assert found.percent is None or found.percent >= 0
    assert all(cell.percent is None or 0 <= cell.percent <= 100 for cell in found.cells.values())


@tried(40)
@given(books(), st.randoms(use_true_random=False))
def test_the_order_makes_no_difference(book: Book, random: object) -> None:
    items, categories, given_, zero = book
    shuffle = random.shuffle  # type: ignore[attr-defined]
    others, groups, pairs = [*items], [*categories], [*given_.items()]
    for each in (others, groups, pairs):
        shuffle(each)
    assert total(others, groups, dict(pairs), ungraded_as_zero=zero) == total(
        items, categories, given_, ungraded_as_zero=zero
    )


@tried(40)
@given(books(), st.data())
def test_excusing_an_item_changes_no_other_mark_and_is_as_if_it_were_not_there(book: Book, data: st.DataObject) -> None:
    items, categories, given_, zero = book
    chosen = data.draw(st.sampled_from(items))
    before = total(items, categories, given_, ungraded_as_zero=zero)
    mark = given_.get(chosen.id, Mark())
    excused: Mapping[UUID, Mark] = {**given_, chosen.id: Mark(mark.reached, mark.possible, is_excused=True)}
    after = total(items, categories, excused, ungraded_as_zero=zero)
    for other in items:
        if other != chosen:
            cells = before.cells[other.id], after.cells[other.id]
            assert cells[0].points == cells[1].points
            assert cells[0].percent == cells[1].percent
    without = total([one for one in items if one != chosen], categories, given_, ungraded_as_zero=zero)
    assert (after.percent, after.means, after.reached) == (without.percent, without.means, without.reached)


@tried(40)
@given(books())
def test_dropping_the_lowest_never_lowers(book: Book) -> None:
    items, categories, given_, zero = book
    plain = total(items, [Category(one.id, one.weight) for one in categories], given_, ungraded_as_zero=zero)
    dropped = total(items, categories, given_, ungraded_as_zero=zero)
    for before, after in [(plain.percent, dropped.percent), *zip(plain.means.values(), dropped.means.values(),
                                                                  strict=True)]:  # fmt: skip
        assert (before is None) == (after is None)
        assert before is None or after is None or after >= before


@given(st.decimals(0, 100, places=2), st.decimals(0, 100, places=2), st.integers(1, 99))
def test_the_chilean_scale_never_falls_and_stays_between_1_and_7(one: D, other: D, exigency: int) -> None:
    low, high = sorted((one, other))
    assert D(1) <= chilean(low, D(exigency)) <= chilean(high, D(exigency)) <= D(7)
