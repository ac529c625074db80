"""What questions ask, as their authors see it: with keys, weights and feedback."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import Any

import strawberry

from app.assessment import bodies
from schema.scalars import Decimal


@strawberry.type(description="What wrong answers cost.")
class QuestionMarking:
    penalty: Decimal = strawberry.field(description="Share of the points that a wrong answer takes away, 0 to 1.")
    floor: Decimal = strawberry.field(description="The least share that the question can give, -1 to 0.")


@strawberry.type(description="Something to choose.")
class QuestionChoice:
    id: strawberry.ID = strawberry.field(description="Lasts as long as the question; answers name it.")
    html: str = strawberry.field(description="HTML that is safe to show.")
    weight: Decimal = strawberry.field(description="Share of the points it is worth, -1 to 1; 1 is right.")
    feedback: str = strawberry.field(description="Told to those who chose it; HTML that is safe to show.")


@strawberry.type(description="A text that counts as an answer.")
class AcceptedText:
    text: str = strawberry.field(description="The words; * stands for anything.")
    weight: Decimal = strawberry.field(description="Share of the points it is worth.")
    feedback: str = strawberry.field(description="Told to those who wrote it; HTML that is safe to show.")


@strawberry.type(description="A number that counts as an answer.")
class AcceptedNumber:
    value: Decimal = strawberry.field(description="The number.")
    tolerance: Decimal = strawberry.field(description="What an answer may differ from it.")
    weight: Decimal = strawberry.field(description="Share of the points it is worth.")
    feedback: str = strawberry.field(description="Told to those who wrote it; HTML that is safe to show.")


@strawberry.type(description="Something that is put in its place.")
class QuestionItem:
    id: strawberry.ID = strawberry.field(description="Lasts as long as the question; answers name it.")
    html: str = strawberry.field(description="HTML that is safe to show.")


@strawberry.type(description="What must be matched.")
class QuestionPair:
    id: strawberry.ID = strawberry.field(description="Lasts as long as the question; answers name it.")
    html: str = strawberry.field(description="HTML that is safe to show.")
    target: strawberry.ID = strawberry.field(description="The target that is right for it.")
    feedback: str = strawberry.field(description="Told about it; HTML that is safe to show.")


@strawberry.interface(description="What a question asks; there is a type for each kind.")
class QuestionBody:
    prompt: str = strawberry.field(description="The text of the question: HTML that is safe to show.")
    feedback: str = strawberry.field(description="Told to everybody afterwards: HTML that is safe to show.")
    hints: list[str] = strawberry.field(description="Help, one after the other: HTML that is safe to show.")


@strawberry.type(description="One of several choices.")
class SingleChoiceBody(QuestionBody):
    choices: list[QuestionChoice] = strawberry.field(description="What to choose from.")
    is_shuffled: bool = strawberry.field(description="Whether each learner sees them in another order.")
    marking: QuestionMarking = strawberry.field(description="What wrong answers cost.")


@strawberry.enum(description="How several choices are graded.")
class MultipleChoiceScoring(Enum):
    PARTIAL = strawberry.enum_value("partial", description="Right ones less wrong ones, over all right ones.")
    ALL_OR_NOTHING = strawberry.enum_value("all_or_nothing", description="All right ones and nothing else.")
    WEIGHTS = strawberry.enum_value("weights", description="The weights of what was chosen.")


@strawberry.type(description="Any number of choices.")
class MultipleChoiceBody(QuestionBody):
    choices: list[QuestionChoice] = strawberry.field(description="What to choose from.")
    scoring: MultipleChoiceScoring = strawberry.field(description="How it is graded.")
    is_shuffled: bool = strawberry.field(description="Whether each learner sees them in another order.")
    marking: QuestionMarking = strawberry.field(description="What wrong answers cost.")


@strawberry.type(description="Whether a statement is true.")
class TrueFalseBody(QuestionBody):
    is_true: bool = strawberry.field(description="Whether it is.")
    feedback_true: str = strawberry.field(description="Told to those who say it is true.")
    feedback_false: str = strawberry.field(description="Told to those who say it is false.")
    marking: QuestionMarking = strawberry.field(description="What wrong answers cost.")


@strawberry.type(description="A few words.")
class ShortAnswerBody(QuestionBody):
    accepted: list[AcceptedText] = strawberry.field(description="What counts as an answer.")
    is_case_sensitive: bool = strawberry.field(description="Whether capitals matter.")
    ignores_accents: bool = strawberry.field(description="Whether words may lack accents; ñ is a letter of its own.")
    marking: QuestionMarking = strawberry.field(description="What wrong answers cost.")


@strawberry.type(description="A number.")
class NumericBody(QuestionBody):
    accepted: list[AcceptedNumber] = strawberry.field(description="What counts as an answer.")
    units: list[str] = strawberry.field(description="Units that may follow the number.")
    marking: QuestionMarking = strawberry.field(description="What wrong answers cost.")


@strawberry.type(description="A target for each thing.")
class MatchingBody(QuestionBody):
    pairs: list[QuestionPair] = strawberry.field(description="What must be matched.")
    targets: list[QuestionItem] = strawberry.field(description="With what; some may belong to nothing.")
    marking: QuestionMarking = strawberry.field(description="What wrong answers cost.")


@strawberry.enum(description="How an order is graded.")
class OrderingScoring(Enum):
    ALL_OR_NOTHING = strawberry.enum_value("all_or_nothing", description="All in place, or nothing.")
    ADJACENT = strawberry.enum_value("adjacent", description="The share of neighbours that follow each other.")


@strawberry.type(description="Things to put in order.")
class OrderingBody(QuestionBody):
    items: list[QuestionItem] = strawberry.field(description="The things in the right order.")
    scoring: OrderingScoring = strawberry.field(description="How it is graded.")
    marking: QuestionMarking = strawberry.field(description="What wrong answers cost.")


@strawberry.type(description="A question inside a text.")
class ClozeGap:
    id: strawberry.ID = strawberry.field(description="It stands where the text has [[id]].")
    weight: int = strawberry.field(description="How many times it counts.")
    content: QuestionBody = strawberry.field(description="Choices, words or a number; its prompt is empty.")


@strawberry.type(description="A text with gaps.")
class ClozeBody(QuestionBody):
    gaps: list[ClozeGap] = strawberry.field(description="The gaps.")


@strawberry.type(description="A text that a person grades.")
class EssayBody(QuestionBody):
    template: str = strawberry.field(description="What the answer starts with.")
    guidance: str = strawberry.field(description="For those who grade: HTML that is safe to show.")
    min_words: int | None = strawberry.field(description="The least number of words that is asked for.")
    max_words: int | None = strawberry.field(description="The most.")


@strawberry.type(description="Files that a person grades.")
class FileQuestionBody(QuestionBody):
    guidance: str = strawberry.field(description="For those who grade: HTML that is safe to show.")
    max_files: int = strawberry.field(description="How many at most.")
    max_bytes: int = strawberry.field(description="How large each may be.")
    extensions: list[str] = strawberry.field(description="Endings that are accepted; any when empty.")


@strawberry.type(description="Text between questions; it asks nothing.")
class TextQuestionBody(QuestionBody):
    pass


BODY_TYPES: dict[str, type[QuestionBody]] = {
    bodies.Single.kind: SingleChoiceBody,
    bodies.Multiple.kind: MultipleChoiceBody,
    bodies.TrueFalse.kind: TrueFalseBody,
    bodies.ShortAnswer.kind: ShortAnswerBody,
    bodies.Numeric.kind: NumericBody,
    bodies.Matching.kind: MatchingBody,
    bodies.Ordering.kind: OrderingBody,
    bodies.Cloze.kind: ClozeBody,
    bodies.Essay.kind: EssayBody,
    bodies.FileUpload.kind: FileQuestionBody,
    bodies.TextOnly.kind: TextQuestionBody,
}
_PARTS: dict[type[Any], type[Any]] = {
    bodies.Marking: QuestionMarking,
    bodies.Choice: QuestionChoice,
    bodies.Accepted: AcceptedText,
    bodies.AcceptedNumber: AcceptedNumber,
    bodies.Item: QuestionItem,
    bodies.Pair: QuestionPair,
}
_SCORINGS: dict[str, type[Enum]] = {
    bodies.Multiple.kind: MultipleChoiceScoring,
    bodies.Ordering.kind: OrderingScoring,
}


def body_of(body: bodies.Body) -> QuestionBody:
    """A body as clients see it."""
    values = {field.name: _shown(getattr(body, field.name)) for field in fields(body)}
    if body.kind in _SCORINGS:
        values["scoring"] = _SCORINGS[body.kind](values["scoring"])
    return BODY_TYPES[body.kind](**values)


def _shown(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_shown(item) for item in value]
    if isinstance(value, bodies.Gap):
        return ClozeGap(id=strawberry.ID(value.id), weight=value.weight, content=body_of(value.body))
    if type(value) in _PARTS:
        shown = {field.name: getattr(value, field.name) for field in fields(value)}
        return _PARTS[type(value)](**shown)
    return value
