"""Questions as their authors describe them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry

from app.assessment import bodies
from schema.question_bodies import MultipleChoiceScoring, OrderingScoring
from schema.scalars import Decimal

UNSET = strawberry.UNSET


@strawberry.input(description="What wrong answers cost.")
class QuestionMarkingInput:
    penalty: Decimal | None = strawberry.field(
        default=None, description="Share of the points that a wrong answer takes away, 0 to 1; 0 by default."
    )
    floor: Decimal | None = strawberry.field(
        default=None, description="The least share that the question can give, -1 to 0; 0 by default."
    )


@strawberry.input(description="Something to choose.")
class QuestionChoiceInput:
    html: str = strawberry.field(description="HTML; what is not safe is taken out.")
    id: strawberry.ID | None = strawberry.field(default=None, description="The choice of the question that this is.")
    is_right: bool | None = strawberry.field(default=None, description="Whether it is right; no by default.")
    weight: Decimal | None = strawberry.field(
        default=None, description="Share of the points it is worth, -1 to 1, instead of isRight."
    )
    feedback: str | None = strawberry.field(default=None, description="Told to those who choose it; HTML.")


@strawberry.input(description="A text that counts as an answer.")
class AcceptedTextInput:
    text: str = strawberry.field(description="The words; * stands for anything.")
    weight: Decimal | None = strawberry.field(default=None, description="Share of the points; 1 by default.")
    feedback: str | None = strawberry.field(default=None, description="Told to those who write it; HTML.")


@strawberry.input(description="A number that counts as an answer.")
class AcceptedNumberInput:
    value: Decimal = strawberry.field(description="The number.")
    tolerance: Decimal | None = strawberry.field(default=None, description="What an answer may differ; 0 by default.")
    weight: Decimal | None = strawberry.field(default=None, description="Share of the points; 1 by default.")
    feedback: str | None = strawberry.field(default=None, description="Told to those who write it; HTML.")


@strawberry.input(description="Something that is put in its place.")
class QuestionItemInput:
    html: str = strawberry.field(description="HTML; what is not safe is taken out.")
    id: strawberry.ID | None = strawberry.field(
        default=None, description="The item of the question that this is; of a new target, what its pairs name it by."
    )


@strawberry.input(description="What must be matched.")
class QuestionPairInput:
    html: str = strawberry.field(description="HTML; what is not safe is taken out.")
    target: strawberry.ID = strawberry.field(description="The id of its target in this input.")
    id: strawberry.ID | None = strawberry.field(default=None, description="The pair of the question that this is.")
    feedback: str | None = strawberry.field(default=None, description="Told about it; HTML.")


@strawberry.input(description="A question inside a text: one of several choices.")
class SingleChoiceGapInput:
    choices: list[QuestionChoiceInput] = strawberry.field(description="What to choose from, 2 to 50.")
    is_shuffled: bool | None = strawberry.field(default=None, description="Another order for each; yes by default.")
    marking: QuestionMarkingInput | None = strawberry.field(default=None, description="What wrong answers cost.")


@strawberry.input(description="A question inside a text: a few words.")
class ShortAnswerGapInput:
    accepted: list[AcceptedTextInput] = strawberry.field(description="What counts as an answer, 1 to 50.")
    is_case_sensitive: bool | None = strawberry.field(default=None, description="Whether capitals matter.")
    ignores_accents: bool | None = strawberry.field(default=None, description="Whether words may lack accents.")
    marking: QuestionMarkingInput | None = strawberry.field(default=None, description="What wrong answers cost.")


@strawberry.input(description="A question inside a text: a number.")
class NumericGapInput:
    accepted: list[AcceptedNumberInput] = strawberry.field(description="What counts as an answer, 1 to 50.")
    units: list[str] | None = strawberry.field(default=None, description="Units that may follow the number.")
    marking: QuestionMarkingInput | None = strawberry.field(default=None, description="What wrong answers cost.")


@strawberry.input(one_of=True, description="What a gap asks: exactly one of these.")
class GapContentInput:
    single: strawberry.Maybe[SingleChoiceGapInput] = strawberry.field(description="One of several choices.")
    short_answer: strawberry.Maybe[ShortAnswerGapInput] = strawberry.field(description="A few words.")
    numeric: strawberry.Maybe[NumericGapInput] = strawberry.field(description="A number.")


@strawberry.input(description="A gap in a text.")
class ClozeGapInput:
    id: strawberry.ID = strawberry.field(description="Letters, digits, hyphens; it stands where the text has [[id]].")
    content: GapContentInput = strawberry.field(description="What it asks.")
    weight: int | None = strawberry.field(default=None, description="How many times it counts, 1 to 100.")


@strawberry.input(description="The text of a question.")
class _Asked:
    prompt: str = strawberry.field(description="HTML; what is not safe is taken out.")
    feedback: str | None = strawberry.field(default=None, description="Told to everybody afterwards; HTML.")
    hints: list[str] | None = strawberry.field(default=None, description="Help, at most 10; HTML.")


@strawberry.input(description="One of several choices.")
class SingleChoiceInput(_Asked):
    choices: list[QuestionChoiceInput] = strawberry.field(description="What to choose from, 2 to 50.")
    is_shuffled: bool | None = strawberry.field(default=None, description="Another order for each; yes by default.")
    marking: QuestionMarkingInput | None = strawberry.field(default=None, description="What wrong answers cost.")


@strawberry.input(description="Any number of choices.")
class MultipleChoiceInput(_Asked):
    choices: list[QuestionChoiceInput] = strawberry.field(description="What to choose from, 1 to 50.")
    scoring: MultipleChoiceScoring | None = strawberry.field(default=None, description="PARTIAL by default.")
    is_shuffled: bool | None = strawberry.field(default=None, description="Another order for each; yes by default.")
    marking: QuestionMarkingInput | None = strawberry.field(default=None, description="What wrong answers cost.")


@strawberry.input(description="Whether a statement is true.")
class TrueFalseInput(_Asked):
    is_true: bool = strawberry.field(description="Whether it is.")
    feedback_true: str | None = strawberry.field(default=None, description="Told to those who say it is true; HTML.")
    feedback_false: str | None = strawberry.field(default=None, description="Told to those who say it is false; HTML.")
    marking: QuestionMarkingInput | None = strawberry.field(default=None, description="What wrong answers cost.")


@strawberry.input(description="A few words.")
class ShortAnswerInput(_Asked):
    accepted: list[AcceptedTextInput] = strawberry.field(description="What counts as an answer, 1 to 50.")
    is_case_sensitive: bool | None = strawberry.field(default=None, description="Whether capitals matter.")
    ignores_accents: bool | None = strawberry.field(default=None, description="Whether words may lack accents.")
    marking: QuestionMarkingInput | None = strawberry.field(default=None, description="What wrong answers cost.")


@strawberry.input(description="A number.")
class NumericInput(_Asked):
    accepted: list[AcceptedNumberInput] = strawberry.field(description="What counts as an answer, 1 to 50.")
    units: list[str] | None = strawberry.field(default=None, description="Units that may follow the number.")
    marking: QuestionMarkingInput | None = strawberry.field(default=None, description="What wrong answers cost.")


@strawberry.input(description="A target for each thing.")
class MatchingInput(_Asked):
    pairs: list[QuestionPairInput] = strawberry.field(description="What must be matched, 2 to 50.")
    targets: list[QuestionItemInput] = strawberry.field(description="With what, 2 to 50; some may belong to nothing.")
    marking: QuestionMarkingInput | None = strawberry.field(default=None, description="What wrong answers cost.")


@strawberry.input(description="Things to put in order.")
class OrderingInput(_Asked):
    items: list[QuestionItemInput] = strawberry.field(description="The things in the right order, 2 to 50.")
    scoring: OrderingScoring | None = strawberry.field(default=None, description="ALL_OR_NOTHING by default.")
    marking: QuestionMarkingInput | None = strawberry.field(default=None, description="What wrong answers cost.")


@strawberry.input(description="A text with gaps.")
class ClozeInput(_Asked):
    gaps: list[ClozeGapInput] = strawberry.field(description="The gaps, 1 to 50; each stands once in the text.")


@strawberry.input(description="A text that a person grades.")
class EssayInput(_Asked):
    template: str | None = strawberry.field(default=None, description="What the answer starts with.")
    guidance: str | None = strawberry.field(default=None, description="For those who grade; HTML.")
    min_words: int | None = strawberry.field(default=None, description="The least number of words that is asked for.")
    max_words: int | None = strawberry.field(default=None, description="The most.")


@strawberry.input(description="Files that a person grades.")
class FileQuestionInput(_Asked):
    guidance: str | None = strawberry.field(default=None, description="For those who grade; HTML.")
    max_files: int | None = strawberry.field(default=None, description="1 to 20; 1 by default.")
    max_bytes: int | None = strawberry.field(default=None, description="How large each may be; 10 MB by default.")
    extensions: list[str] | None = strawberry.field(default=None, description="Endings that are accepted, like pdf.")


@strawberry.input(description="Text between questions.")
class TextQuestionInput(_Asked):
    pass


@strawberry.input(one_of=True, description="What a question asks: exactly one of these.")
class QuestionBodyInput:
    single: strawberry.Maybe[SingleChoiceInput] = strawberry.field(description="One of several choices.")
    multiple: strawberry.Maybe[MultipleChoiceInput] = strawberry.field(description="Any number of choices.")
    true_false: strawberry.Maybe[TrueFalseInput] = strawberry.field(description="Whether a statement is true.")
    short_answer: strawberry.Maybe[ShortAnswerInput] = strawberry.field(description="A few words.")
    numeric: strawberry.Maybe[NumericInput] = strawberry.field(description="A number.")
    matching: strawberry.Maybe[MatchingInput] = strawberry.field(description="A target for each thing.")
    ordering: strawberry.Maybe[OrderingInput] = strawberry.field(description="Things to put in order.")
    cloze: strawberry.Maybe[ClozeInput] = strawberry.field(description="A text with gaps.")
    essay: strawberry.Maybe[EssayInput] = strawberry.field(description="A text that a person grades.")
    file: strawberry.Maybe[FileQuestionInput] = strawberry.field(description="Files that a person grades.")
    text: strawberry.Maybe[TextQuestionInput] = strawberry.field(description="Text between questions.")


def described(body: QuestionBodyInput) -> tuple[str, dict[str, Any]]:
    """The kind and the description of a body, as the bank takes them."""
    kind, content = _chosen(body, bodies.KINDS)
    return kind, _given(content)


def _chosen(value: Any, kinds: tuple[str, ...]) -> tuple[str, Any]:
    [found] = [
        (kind, some.value) for kind in kinds if (some := getattr(value, kind, None)) is not None and some is not UNSET
    ]
    return found


def _given(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in vars(value).items():
        if isinstance(item, GapContentInput):
            kind, content = _chosen(item, ("single", "short_answer", "numeric"))
            found |= {**_given(content), "kind": kind}
        else:
            found[name] = _plain(item)
    return found


def _plain(item: Any) -> Any:
    if isinstance(item, list):
        return [_plain(each) for each in item]
    if isinstance(item, Enum):
        return item.value
    return _given(item) if hasattr(type(item), "__strawberry_definition__") else item
