"""Languages: which one an answer is in, and that everything the platform says exists in Spanish."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from app.i18n import FOLDER, PLACE, Locale, message, negotiate, translate

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "schema").rglob("*.py")])

# Where each call has its sentence: position of the argument, and its name.
SENTENCE = {
    "message": (0, "text"),
    "FieldProblem": (1, "message"),
    "InvalidValue": (1, "message"),
    "note": (2, "message"),
}
# These name a thing; the sentence is "<thing> not found".
THING = {"NotFound": 0, "one": 1}


def refusal_classes() -> set[str]:
    """Every class of the platform that derives from Refusal, whichever module it is in."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    found = {"Refusal"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return found


def argument(call: ast.Call, position: int, name: str | None = None) -> ast.expr | None:
    """An argument given by position or by name."""
    if len(call.args) > position:
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if name and keyword.arg == name), None)


def texts(node: ast.expr | None) -> Iterator[str]:
    """The constant strings an expression may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)


def spoken() -> dict[str, set[str]]:
    """Every sentence of the source with the places it is said at."""
    classes = refusal_classes()
    found: dict[str, set[str]] = defaultdict(set)
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                for text in sentences_of(node, classes):
                    found[text].add(f"{path.relative_to(ROOT)}:{node.lineno}")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for text in default_messages(node):
                    found[text].add(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def sentences_of(call: ast.Call, classes: set[str]) -> Iterator[str]:
    """The sentences one call says."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name in THING:
        yield from (f"{thing} not found" for thing in texts(argument(call, THING[name], "thing")))
    elif name in SENTENCE:
        yield from texts(argument(call, *SENTENCE[name]))
    elif name in classes:
        yield from texts(argument(call, 0, "message"))


def default_messages(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """A refusal's own sentence, for whoever raises it without one."""
    names = [*function.args.posonlyargs, *function.args.args]
    for name, default in zip(reversed(names), reversed(function.args.defaults), strict=False):
        if name.arg == "message":
            yield from texts(default)
        elif name.arg == "thing":
            yield from (f"{thing} not found" for thing in texts(default))


def catalogs() -> dict[str, dict[str, str]]:
    """Each file of translations: English to Spanish."""
    found = {}
    for path in sorted(FOLDER.glob("es*.po")):
        with path.open("rb") as file:
            found[path.name] = {str(m.id): str(m.string) for m in read_po(file, locale="es") if m.id}
    return found


def test_every_sentence_has_a_spanish_translation() -> None:
    translated = {english for catalog in catalogs().values() for english, spanish in catalog.items() if spanish.strip()}
    missing = {text: sorted(places) for text, places in spoken().items() if text not in translated}
    assert missing == {}


def test_no_sentence_is_put_together_from_values_where_it_cannot_be_translated() -> None:
    classes = refusal_classes()
    spliced = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in SOURCES
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if call.func.id in {*classes, *SENTENCE}
        if isinstance(argument(call, *SENTENCE.get(call.func.id, (0, "message"))), ast.JoinedStr | ast.BinOp)
    ]
    assert spliced == []


def test_no_translation_is_left_of_a_sentence_nobody_says() -> None:
    said = spoken()
    unused = {name: sorted(set(catalog) - set(said)) for name, catalog in catalogs().items()}
    assert {name: texts for name, texts in unused.items() if texts} == {}


def test_translations_name_the_same_places() -> None:
    different = [
        english
        for catalog in catalogs().values()
        for english, spanish in catalog.items()
        if sorted(PLACE.findall(english)) != sorted(PLACE.findall(spanish))
    ]
    assert different == []


def test_files_of_translations_do_not_contradict_each_other() -> None:
    versions: dict[str, set[str]] = defaultdict(set)
    for catalog in catalogs().values():
        for english, spanish in catalog.items():
            versions[english].add(spanish)
    assert {english: found for english, found in versions.items() if len(found) > 1} == {}


def test_the_walk_over_the_source_finds_sentences_in_every_form() -> None:
    source = ast.parse(
        'Conflict("plain")\nConflict("one" if x else "two")\nNotFound("course")\ntx.one(S, "lesson", id=1)\n'
        'FieldProblem("path", "problem", "CODE")\ncheck.note("path", "CODE", "noted")\nmessage("marked")\n'
        'errors.Forbidden("by module")\nConflict(message="named")\nunrelated("no")'
    )
    calls = (node for node in ast.walk(source) if isinstance(node, ast.Call))
    found = {text for call in calls for text in sentences_of(call, refusal_classes())}
    said = {"plain", "one", "two", "problem", "noted", "marked", "by module", "named"}
    assert found == said | {"course not found", "lesson not found"}


def test_a_sentence_is_said_in_the_language_with_its_places_filled() -> None:
    sentence = "needs at least {minimum} characters"
    assert translate(sentence, "en", minimum=12) == "needs at least 12 characters"
    assert translate(sentence, "es", minimum=12) == "necesita al menos 12 caracteres"


def test_a_missing_thing_is_named_in_spanish() -> None:
    assert translate("course not found", "es") == "el curso no existe o no está disponible"


def test_a_sentence_without_translation_stays_english() -> None:
    assert translate("nobody ever says this {n} times", "es", n=3) == "nobody ever says this 3 times"


def test_a_place_nobody_fills_is_shown_as_it_is() -> None:
    assert translate("wait {seconds} or {minutes}", "en", seconds=3) == "wait 3 or {minutes}"


def test_a_place_cannot_reach_into_an_object() -> None:
    assert translate("{thing.__class__} {0} {thing!r}", "en", thing="x") == "{thing.__class__} {0} {thing!r}"


def test_a_value_is_not_read_as_a_place() -> None:
    assert translate("{a} {b}", "en", a="{b}", b="2") == "{b} 2"


def test_values_may_be_called_like_the_functions_own_parameters() -> None:
    assert translate("{text} in {locale}", "en", text="words", locale="de") == "words in de"


def test_the_marker_leaves_the_sentence_alone() -> None:
    assert message("left {alone}") == "left {alone}"


@given(st.text())
def test_any_text_can_be_said(text: str) -> None:
    assert isinstance(translate(text, "es"), str)


@pytest.mark.parametrize(
    ("header", "preferences", "expected"),
    [
        (None, (), "es"),
        ("", (), "es"),
        ("en", (), "en"),
        ("en-GB", ("es",), "en"),
        ("es-CL,es;q=0.9,en;q=0.8", ("en",), "es"),
        ("en;q=0.4, es;q=0.6", (), "es"),
        ("en;q=0.6, es;q=0.4", (), "en"),
        ("EN-us; Q=0.9", (), "en"),
        ("fr, de;q=0.9", ("en", "es"), "en"),
        ("fr", (None, "en"), "en"),
        ("fr", ("de", None), "es"),
        ("*", ("en",), "en"),
        ("fr;q=1, en;q=0.1", (), "en"),
        ("en;q=0", ("en", "es"), "es"),
        ("es;q=0", (), "en"),
        ("es;q=0, en;q=0", ("en",), "es"),
        ("en;q=nonsense, es;q=0.1", ("en",), "es"),
        ("en;q=2", (), "es"),
        ("en;q=inf, es;q=0.2", (), "es"),
        ("en;q=nan", (), "es"),
        (";;;,,,=", ("en",), "en"),
        ("english", (), "es"),
        (None, ("es_CL", "en"), "es"),
        ("en, es", (), "en"),
    ],
)
def test_the_header_comes_before_the_persons_and_the_tenants_choice(
    header: str | None, preferences: tuple[str | None, ...], expected: Locale
) -> None:
    assert negotiate(header, *preferences) == expected


@given(st.text(), st.none() | st.text())
def test_any_header_gives_a_language(header: str, preference: str | None) -> None:
    assert negotiate(header, preference) in {"es", "en"}
