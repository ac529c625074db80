"""Open edX problems become questions that grade as they did, or are named as lost."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.assessment import answers, bodies
from app.assessment.grading import grade
from app.assessment.importing import problems_of, taken_over
from app.assessment.olx_problems import convert
from app.catalog.olx import read_olx

DEMO = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "openedx-demo-course" / "course"


def body(problem: str) -> Any:
    """The only question of a problem."""
    found = convert(f"<problem>{problem}</problem>")
    assert found.lost == ()
    [question] = found.questions
    assert question.lost == ()
    return question.body


def got(question: bodies.Body, raw: Any) -> Decimal | None:
    found = grade(question, answers.parse(question, raw), Decimal(1)).points
    return None if found is None else found.normalize()


def test_a_choice_keeps_its_order_hints_and_solution() -> None:
    found = body("""<multiplechoiceresponse><p>Look: <img src="/static/a.png"/></p><label>Which?</label>
      <choicegroup><choice correct="false">A <choicehint>No.</choicehint></choice><choice correct="true">B</choice>
      <choice correct="partial" point_value="0.3">C</choice></choicegroup>
      <solution><p>Because.</p></solution></multiplechoiceresponse><demandhint><hint>Think</hint></demandhint>""")
    assert [(choice.html, choice.weight, choice.feedback) for choice in found.choices] == [
        ("A", 0, "No."),
        ("B", 1, ""),
        ("C", Decimal("0.3"), ""),
    ]
    assert (found.is_shuffled, found.feedback, found.hints) == (False, "<p>Because.</p>", ("Think",))
    assert found.prompt == '<p>Look: <img src="/static/a.png"></p><p>Which?</p>'


def test_several_choices_are_all_or_nothing_without_partial_credit() -> None:
    problem = """<choiceresponse{}><label>?</label><checkboxgroup><choice correct="true">a</choice>
      <choice correct="true">b</choice><choice correct="false">c</choice></checkboxgroup></choiceresponse>"""
    assert body(problem.format("")).scoring == "all_or_nothing"
    partial = problem.format(' partial_credit="EDC"')
    [partly] = convert(f"<problem>{partial}</problem>").questions
    assert isinstance(partly.body, bodies.Multiple)
    assert partly.body.scoring == "partial"
    assert partly.lost == ("partial credit EDC, which is now right less wrong",)


def test_dropdowns_inside_a_text_become_its_gaps() -> None:
    box = """<optionresponse><optioninput options="('uno','dos')" correct="{}"/></optionresponse>"""
    found = body(f"<table><tr><td>{box.format('uno')}</td><td>{box.format('dos')}</td></tr></table>")
    assert found.prompt == "<table><tbody><tr><td>[[g1]]</td><td>[[g2]]</td></tr></tbody></table>"
    keys = {gap.id: {choice.html: choice.id for choice in gap.body.choices} for gap in found.gaps}
    assert got(found, {"gaps": {"g1": {"choice": keys["g1"]["uno"]}, "g2": {"choice": keys["g2"]["uno"]}}}) == Decimal(
        "0.5"
    )


@pytest.mark.parametrize(
    ("response", "raw", "points"),
    [
        ('answer="600"><responseparam type="tolerance" default="5"/>', "605", 1),
        ('answer="600"><responseparam type="tolerance" default="1%"/>', "607", 0),
        ('answer="[5,7]">', "7", 1),
        ('answer="2" partial_credit="list"><responseparam partial_answers="1"/>', "1", 0.5),
    ],
)
def test_numbers_keep_their_tolerance(response: str, raw: str, points: float) -> None:
    assert got(body(f"<p>?</p><numericalresponse {response}</numericalresponse>"), {"number": raw}) == Decimal(
        str(points)
    )


def test_words_keep_their_alternatives_and_capitals() -> None:
    response = '<p>?</p><stringresponse answer="a*b" type="{}"><additional_answer answer="c"/></stringresponse>'
    assert [got(body(response.format("ci")), {"text": text}) for text in ("A*B", "axb", "C")] == [1, 0, 1]
    assert got(body(response.format("")), {"text": "C"}) == 0
    assert got(body('<p>?</p><stringresponse answer=".*" type="regexp"/>'), {"text": "anything"}) == 1


@pytest.mark.parametrize(
    ("problem", "lost"),
    [
        ("<customresponse/>", "customresponse"),
        ("<drag_and_drop_v2/>", "problem without a question"),
        ('<p>?</p><stringresponse answer="^a+$" type="regexp"/>', "stringresponse with a regular expression"),
        ('<p>?</p><numericalresponse answer="2*pi"/>', "numericalresponse with a formula"),
        ('<script>x=1</script><p>?</p><numericalresponse answer="$x"/>', "numericalresponse with random values"),
        ('<script>x=1</script><p>$x?</p><numericalresponse answer="1"/>', "problem with random values"),
        (
            '<p>?</p><optionresponse><optioninput options="os.system()"/></optionresponse>',
            "optionresponse whose options cannot be read",
        ),
        ("<p>?</p><numericalresponse answer='1'/><customresponse/>", "customresponse"),
        (
            "<p>" * 5000 + "<numericalresponse answer='1'/>" + "</p>" * 5000,
            "problem with elements too deep inside each other",
        ),
    ],
)
def test_what_has_no_counterpart_is_named(problem: str, lost: str) -> None:
    assert convert(f"<problem>{problem}</problem>").lost == (lost,)


def test_a_problem_that_is_not_xml_is_lost_and_not_an_error() -> None:
    for source in ("<problem>", "", "<!DOCTYPE a [<!ENTITY b 'c'>]><problem>&b;</problem>"):
        assert convert(source).lost == ("problem that is not XML",)


def test_the_demo_course_gives_nineteen_questions_and_names_what_it_loses() -> None:
    if not DEMO.is_dir():
        pytest.skip("the folder of real inputs (shared/data) is not here")
    found = [convert(path.read_text(encoding="utf-8")) for path in sorted((DEMO / "problem").glob("*.xml"))]
    assert len(found) == 29
    kinds = Counter(question.body.kind for item in found for question in item.questions)
    assert kinds == {"single": 10, "numeric": 3, "short_answer": 3, "multiple": 2, "cloze": 1}
    assert Counter(name for item in found for name in item.lost) == {
        "customresponse": 4,
        "annotationresponse": 1,
        "formularesponse": 1,
        "imageresponse": 1,
        "numericalresponse with random values": 1,
        "schematicresponse": 1,
        "stringresponse with a regular expression": 1,
    }
    course = taken_over(problems_of(read_olx(DEMO)))
    assert course.problems == sum(course.kinds.values()) + sum(course.lost.values())
