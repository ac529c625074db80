"""What a course may contain: HTML that is cheap to read, numbers that mean something."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest

from app.catalog import rules
from app.catalog.nesting import nesting_work
from app.identity.validators import Checks, InvalidValue

SIZE = 90_000


def deep(part: str) -> str:
    """Different parts, as parsers keep only three equal ones of some elements."""
    return "".join(part.replace("#", str(n)) for n in range(SIZE // len(part)))


@pytest.mark.parametrize(
    "part",
    [
        "<b id=#><p>",
        "<div>",
        "<ul><li>",
        '<b id=# title="</b>"><p>',
        "<b id=#><object></b></object><p>",
        "<b id=#><div></b>",
        "<b id=#><!--</b>--><p>",
        "<b id=#><!x</b><p>",
        "<b id=#><svg><![CDATA[></svg></b>]]></svg><p>",
        '<b id=# x"="> </b>"><p>',
        "<b id=#><textarea></b></textarea><p>",
        "<b\x00 id=#><p>",
        "<\x00b id=#><p>",
        "<b id=#></b\x0b><p>",
        "<b id=#><select></b></select><p>",
    ],
)
def test_html_that_would_take_long_to_read_is_refused_at_once(part: str) -> None:
    began = perf_counter()
    with pytest.raises(InvalidValue) as refused:
        rules.rich_text(deep(part))
    assert refused.value.code == "HTML_TOO_DEEP"
    assert perf_counter() - began < 0.5


@pytest.mark.parametrize("part", ["<", "<a ", "a ", '<a b="', "<a b =", "&", "<!", "</", "-->", "<a\t"])
def test_the_judgement_itself_is_linear(part: str) -> None:
    began = perf_counter()
    nesting_work(part * (1_000_000 // len(part)))
    assert perf_counter() - began < 2


@pytest.mark.parametrize(
    "page",
    [
        "<h2>Title</h2><p>One<p>Two<br>Three <b>four</b>" * 1500,
        '<ul class="x"><li>a</li><li>b<ul><li>c</li></ul></li></ul>' * 1500,
        "<!-- a <b>comment</b> --><!DOCTYPE html><table><tr><td>x<td>y</table>" * 1500,
        "<div>" * 30 + "<p>text</p>" * 5000 + "</div>" * 30,
    ],
)
def test_long_ordinary_pages_are_welcome(page: str) -> None:
    assert nesting_work(page) < rules.NESTING
    assert rules.rich_text(page)


@pytest.mark.parametrize("share", ["0", "0.0001", "0.00099", "1.0001", "-1", "NaN", "Infinity", "x"])
def test_a_threshold_that_would_round_to_nothing_is_refused(share: str) -> None:
    with pytest.raises(InvalidValue):
        rules.threshold(share)


def test_a_threshold_keeps_three_decimals() -> None:
    assert [str(rules.threshold(share)) for share in ("0.001", "0.95", "0.9999", "1")] == [
        "0.001", "0.950", "0.999", "1.000",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "given", "path"),
    [
        ("video", {"url": "https://v.example.org", "duration_seconds": 0}, "b.durationSeconds"),
        ("file", {"url": "https://f.example.org", "filename": "f", "size_bytes": -1}, "b.sizeBytes"),
        ("embed", {"url": "https://vimeo.com/1", "height": 0}, "b.height"),
    ],
)
def test_impossible_sizes_of_blocks_are_refused(kind: str, given: dict[str, Any], path: str) -> None:
    check = Checks()
    rules.block_content(check, kind, given, path="b")
    assert [(problem.path, problem.code) for problem in check.problems] == [(path, "OUT_OF_RANGE")]
