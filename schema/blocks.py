"""The pieces that lessons are made of, as clients see them."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from app.catalog.rows import BlockRow
from schema import ids
from schema.context import Info
from schema.execution import batch


@strawberry.interface(description="A piece of a lesson's content.")
class LessonBlockBase:
    row: strawberry.Private[BlockRow]

    @batch(description="Opaque identifier.")
    def id(blocks: list[LessonBlockBase], info: Info) -> list[strawberry.ID]:
        mask = info.context.mask
        return [ids.encode(ids.BLOCK, block.row.id, mask) for block in blocks]

    @strawberry.field(description="Heading; may be empty.")
    def title(self) -> str:
        return self.row.title

    @strawberry.field(description="Place in the lesson, from 1.")
    def position(self) -> int:
        return self.row.position


@strawberry.type(description="Text with formatting.")
class RichTextBlock(LessonBlockBase):
    @strawberry.field(description="HTML that is safe to show.")
    def html(self) -> str:
        return str(self.row.content["html"])


@strawberry.type(description="A video.")
class VideoBlock(LessonBlockBase):
    @strawberry.field(description="Where it is.")
    def url(self) -> str:
        return str(self.row.content["url"])

    @strawberry.field(description="Length in seconds, when known.")
    def duration_seconds(self) -> int | None:
        seconds: int | None = self.row.content.get("duration_seconds")
        return seconds

    @strawberry.field(description="Where its captions are.")
    def captions_url(self) -> str | None:
        url: str | None = self.row.content.get("captions_url")
        return url


@strawberry.type(description="A file to download.")
class FileBlock(LessonBlockBase):
    @strawberry.field(description="Where it is.")
    def url(self) -> str:
        return str(self.row.content["url"])

    @strawberry.field(description="Its name.")
    def filename(self) -> str:
        return str(self.row.content["filename"])

    @strawberry.field(description="Its media type, when known.")
    def media_type(self) -> str | None:
        kind: str | None = self.row.content.get("media_type")
        return kind

    @strawberry.field(description="Its size in bytes, when known.")
    def size_bytes(self) -> int | None:
        size: int | None = self.row.content.get("size_bytes")
        return size


@strawberry.type(description="A page of another site shown in a frame.")
class EmbedBlock(LessonBlockBase):
    @strawberry.field(description="Its address; the host is one that may be embedded.")
    def url(self) -> str:
        return str(self.row.content["url"])

    @strawberry.field(description="Height of the frame in pixels.")
    def height(self) -> int:
        return int(self.row.content["height"])


@strawberry.type(description="The place of a question, as it was imported; the question itself is in the bank.")
class QuizBlock(LessonBlockBase):
    @strawberry.field(description="The kind of question, as it was imported.")
    def question_kind(self) -> str:
        return str(self.row.content["question_kind"])


LessonBlock = Annotated[
    RichTextBlock | VideoBlock | FileBlock | EmbedBlock | QuizBlock,
    strawberry.union("LessonBlock", description="A piece of a lesson's content."),
]
BLOCKS: dict[str, Any] = {
    "rich_text": RichTextBlock,
    "video": VideoBlock,
    "file": FileBlock,
    "embed": EmbedBlock,
    "quiz": QuizBlock,
}
