"""GIFT comes in with the line of what is wrong with it, and goes out so that it comes in again as the same."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assessment import answers, bodies, body_rules
from app.assessment.bodies import Accepted, AcceptedNumber, Choice, Item, Pair
from app.assessment.gift import GiftProblem, GiftQuestion, read_gift
from app.assessment.gift_export import Exported, write_gift
from app.assessment.grading import grade
from app.identity.validators import line
from tests.rules.trying import tried

HALF = Decimal("0.5")


def one(text: str) -> GiftQuestion:
    """The only question of a text."""
    [found] = read_gift(text)
    assert isinstance(found, GiftQuestion), found
    return found


def got(text: str, raw: Any) -> Decimal | None:
    """What an answer to the question gets of one point."""
    body = one(text).body
    found = grade(body, answers.parse(body, raw), Decimal(1)).points
    return None if found is None else found.normalize()


def choice(body: bodies.Body, html: str) -> Choice:
    """The choice that reads so."""
    assert isinstance(body, bodies.Single | bodies.Multiple)
    return next(item for item in body.choices if item.html == html)


SAMPLE = r"""// Comments and what follows are not shown. [tag:Historia] [tag:fácil]
::Q1:: 1+1\=2 {T}

$CATEGORY: $course$/top/unidad 1/fechas

::Q2:: ¿Quién está enterrado en la tumba de Grant? {
  =nadie#¡Bien!
  ~%50%Grant # Casi: está sobre la tierra.
  ~Lincoln
  ####Es una pregunta con trampa.
}

Missing {=word ~verb ~adjective} here.

::Pares::[html]<b>Junta</b> {
  =Chile -> Santiago
  =Perú -> Lima
  = -> Quito
}

::Pi:: ¿Cuánto es pi? {#=3.1416:0.0005 =%50%3:0.2#Más o menos.}

::Rango:: {#1..5}

::Año:: {=1820 =%80%mil ochocientos *}

::Varias:: [plain]a < b & {~%50%sí ~%50%también ~%-50%no ~%-50%tampoco}

::Ensayo::[markdown]*Escribe* \{algo\}. {}

Solo una descripción.

::Falso:: La Tierra es plana. {FALSE#No: es falso.#Así es.}
"""


def test_every_kind_that_gift_has_is_read() -> None:
    found = [item for item in read_gift(SAMPLE) if isinstance(item, GiftQuestion)]
    assert [(item.title, item.body.kind, item.line) for item in found] == [
        ("Q1", "true_false", 2),
        ("Q2", "single", 6),
        ("", "single", 13),
        ("Pares", "matching", 15),
        ("Pi", "numeric", 21),
        ("Rango", "numeric", 23),
        ("Año", "short_answer", 25),
        ("Varias", "multiple", 27),
        ("Ensayo", "essay", 29),
        ("", "text", 31),
        ("Falso", "true_false", 33),
    ]
    assert found[0].tags == ("historia", "fácil")
    assert [item.category for item in found[:2]] == ["", "unidad 1/fechas"]
    assert found[0].body.prompt == "1+1=2"
    assert found[1].body.feedback == "Es una pregunta con trampa."
    assert found[2].body.prompt == "Missing  _____  here."
    assert found[7].body.prompt == "a &lt; b &amp;"
    assert found[8].body.prompt == "<em>Escribe</em> {algo}."


def test_gift_weights_ranges_and_feedback_are_graded_as_written() -> None:
    text = "::x:: {\n=right#yes\n~%50%half#so so\n~wrong\n}"
    body = one(text.replace("::x::", "::x:: Which?")).body
    assert [(item.weight, item.feedback) for item in (choice(body, "right"), choice(body, "half"))] == [
        (1, "yes"),
        (HALF, "so so"),
    ]
    number = "::n:: Pi? {#=3.1416:0.0005 =%50%3:0.2#roughly}"
    assert [got(number, {"number": text}) for text in ("3,1417", "3.1", "2")] == [1, HALF, 0]
    assert [got("How many? {#1..5}", {"number": text}) for text in ("1", "5", "5,01")] == [1, 1, 0]
    assert got("When? {=1820 =%80%eighteen *}", {"text": "EIGHTEEN twenty"}) == Decimal("0.8")
    assert got("Yes? {F#wrong#right}", {"value": False}) == 1


def test_the_first_feedback_of_a_true_false_is_for_those_who_were_wrong() -> None:
    body = one("Flat? {FALSE#No.#Right.}").body
    assert isinstance(body, bodies.TrueFalse)
    assert (body.is_true, body.feedback_true, body.feedback_false) == (False, "No.", "Right.")


def test_several_equal_shares_are_right_less_wrong() -> None:
    body = one("Which? {~%33.33333%a ~%33.33333%b ~%33.33333%c ~%-33.33333%d}").body
    assert isinstance(body, bodies.Multiple)
    assert body.scoring == "partial"
    assert [int(item.weight) for item in body.choices] == [1, 1, 1, 0]
    weighted = one("Which? {~%80%a ~%20%b ~%-100%c}").body
    assert isinstance(weighted, bodies.Multiple)
    assert weighted.scoring == "weights"


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("Open {=a ~b", "GIFT_BRACES", "question"),
        ("Twice {=a ~b} and {=c ~d}", "GIFT_BRACES", "question"),
        ("Backwards }=a ~b{", "GIFT_BRACES", "question"),
        ("Number {#pi}", "GIFT_NUMBER", "question"),
        ("Weight {=%200%a ~b}", "GIFT_WEIGHT", "question"),
        ("Pairs {=a -> b =c}", "GIFT_PAIR", "question"),
        ("Odd {text =a ~b}", "GIFT_ANSWER", "question"),
        ("Alone {=a ~}", "TOO_SHORT", "question.choices.1.html"),
        ("Half {=%50%a ~b}", "NO_RIGHT_ANSWER", "question.choices"),
        ("{=a ~b}", "TOO_SHORT", "question.prompt"),
        ("::" + "t" * 300 + ":: x {T}", "TOO_LONG", "title"),
    ],
)
def test_a_bad_question_is_named_with_its_line_and_loses_no_other(text: str, code: str, path: str) -> None:
    before, problem, after = read_gift(f"First {{T}}\n\n\n{text}\n\nLast {{F}}")
    assert isinstance(before, GiftQuestion)
    assert isinstance(after, GiftQuestion)
    assert isinstance(problem, GiftProblem)
    assert problem.line == 4
    assert (path, code) in [(item.path, item.code) for item in problem.problems]


def test_escaped_marks_are_text() -> None:
    body = one(r"\{x\} \: 5 \= 2 \+ 3 \# \~ \\ {=a\=b\#\~ =c\n d}").body
    assert isinstance(body, bodies.ShortAnswer)
    assert body.prompt == r"{x} : 5 = 2 \+ 3 # ~ \ ".strip()
    assert [item.text for item in body.accepted] == ["a=b#~", "c d"]


def test_scripts_do_not_come_in() -> None:
    body = one('[html]Hi <script>alert(1)</script><b onclick\\="x()">you</b> {T}').body
    assert body.prompt == "Hi <b>you</b>"


def test_the_same_text_has_the_same_key_in_its_category_however_it_is_spaced() -> None:
    first, second, third = read_gift("A {T}\n\n A   {T} \n\n$CATEGORY: other\n\nA {T}")
    assert isinstance(first, GiftQuestion)
    assert isinstance(second, GiftQuestion)
    assert isinstance(third, GiftQuestion)
    assert first.key == second.key != third.key


def test_answers_for_any_other_number_are_named_as_lost() -> None:
    assert len(one("N? {#=3:0 ~#Not quite.}").lost) == 1


def test_export_names_what_gift_cannot_say() -> None:
    ordering = bodies.Ordering(prompt="Sort", items=(Item("a", "1"), Item("b", "2")))
    short = bodies.ShortAnswer(prompt="?", accepted=(Accepted("a"),), is_case_sensitive=True, hints=("h",))
    text, lost = write_gift(
        [Exported("o", "", (), Decimal(1), ordering), Exported("s", "c/d", ("t",), Decimal(2), short)]
    )
    assert text == "$CATEGORY: $course$/top/c/d\n\n// [tag:t]\n::s::[html]? {\n=a\n}\n"
    assert [(item.index, item.what) for item in lost] == [
        (0, "this kind of question does not exist in GIFT"),
        (1, "its hints"),
        (1, "how capitals and accents count"),
        (1, "its points"),
    ]


# --- round trip

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Zs", "Zl", "Zp", "Cf", "Mn", "Co"))
    | st.sampled_from(list("~=#{}:\\ \n%[]$/&<>*|-")),
    min_size=1,
    max_size=20,
)


def _html(text: str) -> str:
    return body_rules.shown(f"w{text}".replace("->", "-"))


HTML = WORDS.map(_html)
FEEDBACK = st.just("") | HTML
WEIGHT = st.integers(-100, 99).map(lambda n: Decimal(n) / 100).map(lambda n: body_rules.share(n))
LINE = WORDS.map(lambda text: line(f"w{text}", maximum=100))
NUMBERS = st.decimals(-(10**6), 10**6, places=3)
CHOICES = st.lists(
    st.builds(Choice, id=st.just(""), html=HTML, weight=WEIGHT, feedback=FEEDBACK), min_size=1, max_size=5
)
ASKED: dict[str, Any] = {"prompt": HTML, "feedback": FEEDBACK}


@st.composite
def single(draw: st.DrawFn) -> bodies.Single:
    right = Choice("", draw(HTML), Decimal(1), draw(FEEDBACK))
    return bodies.Single(prompt=draw(HTML), feedback=draw(FEEDBACK), choices=(right, *draw(CHOICES)))


@st.composite
def multiple(draw: st.DrawFn) -> bodies.Multiple:
    flags = [True, *draw(st.lists(st.booleans(), max_size=6))]
    choices = tuple(Choice("", draw(HTML), Decimal(flag), draw(FEEDBACK)) for flag in flags)
    return bodies.Multiple(prompt=draw(HTML), feedback=draw(FEEDBACK), choices=choices)


@st.composite
def matching(draw: st.DrawFn) -> bodies.Matching:
    htmls = draw(st.lists(HTML, min_size=2, max_size=5, unique=True))
    targets = tuple(Item(f"t{n}", html) for n, html in enumerate(htmls))
    picked = draw(st.lists(st.sampled_from(targets), min_size=2, max_size=5))
    pairs = tuple(Pair(f"p{n}", draw(HTML), target.id) for n, target in enumerate(picked))
    return bodies.Matching(prompt=draw(HTML), feedback=draw(FEEDBACK), pairs=pairs, targets=targets)


def _whole(items: list[Any]) -> tuple[Any, ...]:
    return (replace(items[0], weight=Decimal(1)), *items[1:])


EXPRESSIBLE = st.one_of(
    single(),
    multiple(),
    matching(),
    st.builds(bodies.TrueFalse, **ASKED, is_true=st.booleans(), feedback_true=FEEDBACK, feedback_false=FEEDBACK),
    st.builds(
        bodies.ShortAnswer,
        **ASKED,
        accepted=st.lists(st.builds(Accepted, LINE, WEIGHT, FEEDBACK), min_size=1, max_size=4).map(_whole),
    ),
    st.builds(
        bodies.Numeric,
        **ASKED,
        accepted=st.lists(
            st.builds(AcceptedNumber, NUMBERS, st.decimals(0, 10, places=3), WEIGHT, FEEDBACK), min_size=1, max_size=4
        ).map(_whole),
    ),
    st.builds(bodies.Essay, **ASKED),
    st.builds(bodies.TextOnly, prompt=HTML),
)


def meaning(body: bodies.Body) -> Any:
    """The body without the identifiers drawn by lot."""
    if isinstance(body, bodies.Matching):
        targets = {item.id: item.html for item in body.targets}
        pairs = [(pair.html, targets[pair.target]) for pair in body.pairs]
        return body.prompt, body.feedback, pairs, set(targets.values())
    return body.kind, _bare(body)


def _bare(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _bare(getattr(value, field.name)) for field in fields(value) if field.name != "id"}
    return [_bare(item) for item in value] if isinstance(value, tuple) else value


@tried(40)
@given(st.lists(st.tuples(EXPRESSIBLE, LINE, st.sampled_from(["", "a", "a/b c"])), min_size=1, max_size=4))
def test_what_is_written_comes_in_again_as_the_same(questions: list[tuple[bodies.Body, str, str]]) -> None:
    text, lost = write_gift(Exported(title, path, ("t",), Decimal(1), body) for body, title, path in questions)
    assert lost == []
    found = list(read_gift(text))
    assert all(isinstance(item, GiftQuestion) for item in found), (found, text)
    assert [(item.title, item.category, item.tags) for item in found if isinstance(item, GiftQuestion)] == [
        (title, path, ("t",)) for _, title, path in questions
    ]
    assert [meaning(item.body) for item in found if isinstance(item, GiftQuestion)] == [
        meaning(body) for body, _, _ in questions
    ]


@tried(80)
@given(st.text(st.sampled_from(list("ab ~=#{}:\\\n%[]$/->.T*1")), max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    for item in read_gift(text):
        if isinstance(item, GiftQuestion):
            assert meaning(bodies.load(bodies.dump(item.body))) == meaning(item.body)


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_example_of_the_guide_can_be_read(language: str) -> None:
    guide = Path(__file__).parents[2] / "docs" / "guides" / language / "questions.md"
    example = guide.read_text(encoding="utf-8").split("```")[1]
    found = [item for item in read_gift(example) if isinstance(item, GiftQuestion)]
    assert [item.body.kind for item in found] == ["single", "numeric", "matching", "true_false"]
    assert found[0].tags in {("easy",), ("fácil",)}
