"""What authors do: mutations of courses, modules, lessons and their blocks."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from app.catalog.service import CatalogService
from schema import ids
from schema.catalog import CompletionRule, Course, CourseLevel, Lesson, Module
from schema.context import Info
from schema.errors import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from schema.identity import given
from schema.scalars import Decimal

UNSET = strawberry.UNSET


@strawberry.input(description="A new course; it starts as a draft.")
class CreateCourseInput:
    title: str = strawberry.field(description="At most 200 characters.")
    description: str | None = strawberry.field(default=UNSET, description="HTML; what is not safe is taken out.")
    category: str | None = strawberry.field(default=UNSET, description="At most 100 characters.")
    level: CourseLevel | None = strawberry.field(default=UNSET, description="For whom; everybody by default.")
    language: str | None = strawberry.field(default=UNSET, description="Like es or es-CL; es by default.")
    cover_url: str | None = strawberry.field(default=UNSET, description="https address of a picture.")
    tags: list[str] | None = strawberry.field(default=UNSET, description="At most 20.")
    instructor_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Who teaches it; whoever makes it by default."
    )
    idempotency_key: str | None = strawberry.field(
        default=None, description="8 to 100 characters; repeating the request with it makes nothing twice."
    )


@strawberry.input(description="Changes of a course; fields left out stay, null clears.")
class UpdateCourseInput:
    id: strawberry.ID = strawberry.field(description="The course.")
    title: str | None = strawberry.field(default=UNSET, description="At most 200 characters.")
    description: str | None = strawberry.field(default=UNSET, description="HTML; what is not safe is taken out.")
    category: str | None = strawberry.field(default=UNSET, description="At most 100 characters.")
    level: CourseLevel | None = strawberry.field(default=UNSET, description="For whom.")
    language: str | None = strawberry.field(default=UNSET, description="Like es or es-CL.")
    cover_url: str | None = strawberry.field(default=UNSET, description="https address of a picture.")
    tags: list[str] | None = strawberry.field(default=UNSET, description="At most 20.")
    instructor_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="Who teaches it.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A course.")
class CourseIdInput:
    id: strawberry.ID = strawberry.field(description="The course.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A course to copy.")
class CopyCourseInput:
    id: strawberry.ID = strawberry.field(description="The course.")
    title: str | None = strawberry.field(default=None, description="Title of the copy; the same by default.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="8 to 100 characters; repeating the request with it makes nothing twice."
    )


@strawberry.input(description="A new module at the end of a course.")
class CreateModuleInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    title: str = strawberry.field(description="At most 200 characters.")
    description: str = strawberry.field(default="", description="HTML; what is not safe is taken out.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="8 to 100 characters; repeating the request with it makes nothing twice."
    )


@strawberry.input(description="Changes of a module; fields left out stay.")
class UpdateModuleInput:
    id: strawberry.ID = strawberry.field(description="The module.")
    title: str | None = strawberry.field(default=None, description="At most 200 characters.")
    description: str | None = strawberry.field(default=None, description="HTML; what is not safe is taken out.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A module.")
class ModuleIdInput:
    id: strawberry.ID = strawberry.field(description="The module.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="The modules of a course in their new order.")
class ReorderModulesInput:
    course_id: strawberry.ID = strawberry.field(description="The course.")
    module_ids: list[strawberry.ID] = strawberry.field(description="Every module of the course once.")
    expected_version: int | None = strawberry.field(default=None, description="The course's version.")


@strawberry.input(description="Text with formatting.")
class RichTextBlockInput:
    html: str = strawberry.field(description="HTML; what is not safe is taken out.")


@strawberry.input(description="A video.")
class VideoBlockInput:
    url: str = strawberry.field(description="https address.")
    duration_seconds: int | None = strawberry.field(default=None, description="Length; needed for VIDEO_COVERAGE.")
    captions_url: str | None = strawberry.field(default=None, description="https address of captions.")


@strawberry.input(description="A file to download.")
class FileBlockInput:
    url: str = strawberry.field(description="https address.")
    filename: str = strawberry.field(description="At most 255 characters.")
    media_type: str | None = strawberry.field(default=None, description="Like application/pdf.")
    size_bytes: int | None = strawberry.field(default=None, description="Size.")


@strawberry.input(description="A page of another site in a frame.")
class EmbedBlockInput:
    url: str = strawberry.field(description="https address at a host that may be embedded.")
    height: int = strawberry.field(default=480, description="Pixels, 50 to 4000.")


@strawberry.input(description="The place of a question.")
class QuizBlockInput:
    question_kind: str = strawberry.field(description="The kind of question.")
    source: str = strawberry.field(default="", description="The question as it was written elsewhere.")


@strawberry.input(one_of=True, description="The content of a block: exactly one of these.")
class BlockContentInput:
    rich_text: strawberry.Maybe[RichTextBlockInput] = strawberry.field(description="Text with formatting.")
    video: strawberry.Maybe[VideoBlockInput] = strawberry.field(description="A video.")
    file: strawberry.Maybe[FileBlockInput] = strawberry.field(description="A file to download.")
    embed: strawberry.Maybe[EmbedBlockInput] = strawberry.field(description="A page of another site.")
    quiz: strawberry.Maybe[QuizBlockInput] = strawberry.field(description="The place of a question.")


@strawberry.input(description="A piece of a lesson's content.")
class BlockInput:
    content: BlockContentInput = strawberry.field(description="What it is.")
    id: strawberry.ID | None = strawberry.field(default=None, description="A block of this lesson that this replaces.")
    title: str = strawberry.field(default="", description="Heading.")


@strawberry.input(description="A new lesson at the end of a module.")
class CreateLessonInput:
    module_id: strawberry.ID = strawberry.field(description="The module.")
    title: str = strawberry.field(description="At most 200 characters.")
    summary: str | None = strawberry.field(default=UNSET, description="At most 2,000 characters.")
    is_required: bool | None = strawberry.field(default=UNSET, description="Counts for completing; yes by default.")
    weight: int | None = strawberry.field(default=UNSET, description="1 to 1000; 1 by default.")
    completion: CompletionRule | None = strawberry.field(default=UNSET, description="MARK_DONE by default.")
    video_threshold: Decimal | None = strawberry.field(default=UNSET, description="0 to 1; 0.95 by default.")
    min_score: Decimal | None = strawberry.field(default=UNSET, description="For MIN_SCORE: 0 to 100; 60 by default.")
    min_seconds: int | None = strawberry.field(default=UNSET, description="For MIN_TIME: 1 to 86400; 60 by default.")
    blocks: list[BlockInput] = strawberry.field(default_factory=list, description="Content in order.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="8 to 100 characters; repeating the request with it makes nothing twice."
    )


@strawberry.input(description="Changes of a lesson; fields left out stay.")
class UpdateLessonInput:
    id: strawberry.ID = strawberry.field(description="The lesson.")
    title: str | None = strawberry.field(default=UNSET, description="At most 200 characters.")
    summary: str | None = strawberry.field(default=UNSET, description="At most 2,000 characters.")
    is_required: bool | None = strawberry.field(default=UNSET, description="Counts for completing the course.")
    weight: int | None = strawberry.field(default=UNSET, description="1 to 1000.")
    completion: CompletionRule | None = strawberry.field(default=UNSET, description="What completes it.")
    video_threshold: Decimal | None = strawberry.field(default=UNSET, description="0 to 1.")
    min_score: Decimal | None = strawberry.field(default=UNSET, description="For MIN_SCORE: 0 to 100.")
    min_seconds: int | None = strawberry.field(default=UNSET, description="For MIN_TIME: 1 to 86400.")
    blocks: list[BlockInput] | None = strawberry.field(default=None, description="The whole content in order.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="A lesson.")
class LessonIdInput:
    id: strawberry.ID = strawberry.field(description="The lesson.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse if somebody changed it since.")


@strawberry.input(description="The lessons of a module in their new order.")
class ReorderLessonsInput:
    module_id: strawberry.ID = strawberry.field(description="The module.")
    lesson_ids: list[strawberry.ID] = strawberry.field(
        description="Every lesson of the module once; lessons of the course's other modules move here."
    )
    expected_version: int | None = strawberry.field(default=None, description="The course's version.")


@strawberry.type(description="A course after the change.")
class CourseSuccess:
    course: Course = strawberry.field(description="The course.")


@strawberry.type(description="A module after the change.")
class ModuleSuccess:
    module: Module = strawberry.field(description="The module.")


@strawberry.type(description="A lesson after the change.")
class LessonSuccess:
    lesson: Lesson = strawberry.field(description="The lesson.")


@strawberry.type(description="Something was deleted.")
class DeleteSuccess:
    deleted_id: strawberry.ID = strawberry.field(description="What was deleted.")


Problems = ValidationProblem | NotFoundProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem

CreateCourseResult = Annotated[
    CourseSuccess | Problems, strawberry.union("CreateCourseResult", description="Outcome of createCourse.")
]
UpdateCourseResult = Annotated[
    CourseSuccess | Problems, strawberry.union("UpdateCourseResult", description="Outcome of updateCourse.")
]
PublishCourseResult = Annotated[
    CourseSuccess | Problems, strawberry.union("PublishCourseResult", description="Outcome of publishCourse.")
]
UnpublishCourseResult = Annotated[
    CourseSuccess | Problems, strawberry.union("UnpublishCourseResult", description="Outcome of unpublishCourse.")
]
CopyCourseResult = Annotated[
    CourseSuccess | Problems, strawberry.union("CopyCourseResult", description="Outcome of copyCourse.")
]
DeleteCourseResult = Annotated[
    DeleteSuccess | Problems, strawberry.union("DeleteCourseResult", description="Outcome of deleteCourse.")
]
CreateModuleResult = Annotated[
    ModuleSuccess | Problems, strawberry.union("CreateModuleResult", description="Outcome of createModule.")
]
UpdateModuleResult = Annotated[
    ModuleSuccess | Problems, strawberry.union("UpdateModuleResult", description="Outcome of updateModule.")
]
DeleteModuleResult = Annotated[
    DeleteSuccess | Problems, strawberry.union("DeleteModuleResult", description="Outcome of deleteModule.")
]
ReorderModulesResult = Annotated[
    CourseSuccess | Problems, strawberry.union("ReorderModulesResult", description="Outcome of reorderModules.")
]
CreateLessonResult = Annotated[
    LessonSuccess | Problems, strawberry.union("CreateLessonResult", description="Outcome of createLesson.")
]
UpdateLessonResult = Annotated[
    LessonSuccess | Problems, strawberry.union("UpdateLessonResult", description="Outcome of updateLesson.")
]
DeleteLessonResult = Annotated[
    DeleteSuccess | Problems, strawberry.union("DeleteLessonResult", description="Outcome of deleteLesson.")
]
ReorderLessonsResult = Annotated[
    ModuleSuccess | Problems, strawberry.union("ReorderLessonsResult", description="Outcome of reorderLessons.")
]

COURSE = ("title", "description", "category", "level", "language", "cover_url", "tags")
LESSON = (
    "title", "summary", "is_required", "weight", "completion", "video_threshold", "min_score", "min_seconds",
)  # fmt: skip
KINDS = ("rich_text", "video", "file", "embed", "quiz")


def fields_of(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The sent fields of an input, enums as their values; a null for a field that cannot be cleared is left out."""
    sent = {name: getattr(item, "value", item) for name, item in given(value, names).items()}
    clearable = {"description", "category", "cover_url", "summary"}
    return {name: item for name, item in sent.items() if item is not None or name in clearable}


def blocks_of(blocks: list[BlockInput], mask: int) -> list[dict[str, Any]]:
    """Blocks as the service takes them."""
    found = []
    for block in blocks:
        [(kind, content)] = [
            (kind, some.value)
            for kind in KINDS
            if (some := getattr(block.content, kind, None)) is not None and some is not UNSET
        ]
        block_id = ids.decode(ids.BLOCK, block.id, mask) if block.id is not None else None
        found.append({**vars(content), "kind": kind, "title": block.title, "id": block_id})
    return found


def teachers_of(texts: list[strawberry.ID] | None, mask: int) -> list[Any] | None:
    """Members named as instructors. Raises Invalid."""
    return None if texts is None else ids.decode_all(ids.USER, texts, mask, "input.instructorIds")


def service(info: Info) -> tuple[CatalogService, int]:
    """The catalog's use cases, and this tenant's mask."""
    return info.context.catalog, info.context.mask


@strawberry.type
class AuthoringMutation:
    @strawberry.mutation(description="Make a course; it starts as a draft.")
    async def create_course(
        self, info: Info, input: Annotated[CreateCourseInput, strawberry.argument(description="What to do.")]
    ) -> CreateCourseResult:
        catalog, mask = service(info)
        row = await catalog.create_course(
            fields_of(input, COURSE),
            instructor_ids=teachers_of(input.instructor_ids, mask),
            idempotency_key=input.idempotency_key,
        )
        return CourseSuccess(course=Course(row=row))

    @strawberry.mutation(description="Change a course.")
    async def update_course(
        self, info: Info, input: Annotated[UpdateCourseInput, strawberry.argument(description="What to do.")]
    ) -> UpdateCourseResult:
        catalog, mask = service(info)
        row = await catalog.update_course(
            ids.decode(ids.COURSE, input.id, mask),
            fields_of(input, COURSE),
            instructor_ids=teachers_of(input.instructor_ids, mask),
            expected_version=input.expected_version,
        )
        return CourseSuccess(course=Course(row=row))

    @strawberry.mutation(description="Make a course visible to students.")
    async def publish_course(
        self, info: Info, input: Annotated[CourseIdInput, strawberry.argument(description="What to do.")]
    ) -> PublishCourseResult:
        catalog, mask = service(info)
        row = await catalog.publish_course(
            ids.decode(ids.COURSE, input.id, mask), expected_version=input.expected_version
        )
        return CourseSuccess(course=Course(row=row))

    @strawberry.mutation(description="Hide a course from students; their progress waits.")
    async def unpublish_course(
        self, info: Info, input: Annotated[CourseIdInput, strawberry.argument(description="What to do.")]
    ) -> UnpublishCourseResult:
        catalog, mask = service(info)
        row = await catalog.unpublish_course(
            ids.decode(ids.COURSE, input.id, mask), expected_version=input.expected_version
        )
        return CourseSuccess(course=Course(row=row))

    @strawberry.mutation(description="Delete a course; what learners did in it is kept.")
    async def delete_course(
        self, info: Info, input: Annotated[CourseIdInput, strawberry.argument(description="What to do.")]
    ) -> DeleteCourseResult:
        catalog, mask = service(info)
        await catalog.delete_course(ids.decode(ids.COURSE, input.id, mask), expected_version=input.expected_version)
        return DeleteSuccess(deleted_id=input.id)

    @strawberry.mutation(description="Copy a course with everything in it, as a draft.")
    async def copy_course(
        self, info: Info, input: Annotated[CopyCourseInput, strawberry.argument(description="What to do.")]
    ) -> CopyCourseResult:
        catalog, mask = service(info)
        row = await catalog.copy_course(
            ids.decode(ids.COURSE, input.id, mask), title=input.title, idempotency_key=input.idempotency_key
        )
        return CourseSuccess(course=Course(row=row))

    @strawberry.mutation(description="Add a module at the end of a course.")
    async def create_module(
        self, info: Info, input: Annotated[CreateModuleInput, strawberry.argument(description="What to do.")]
    ) -> CreateModuleResult:
        catalog, mask = service(info)
        row = await catalog.create_module(
            ids.decode(ids.COURSE, input.course_id, mask),
            title=input.title,
            description=input.description,
            idempotency_key=input.idempotency_key,
        )
        return ModuleSuccess(module=Module(row=row))

    @strawberry.mutation(description="Change a module.")
    async def update_module(
        self, info: Info, input: Annotated[UpdateModuleInput, strawberry.argument(description="What to do.")]
    ) -> UpdateModuleResult:
        catalog, mask = service(info)
        row = await catalog.update_module(
            ids.decode(ids.MODULE, input.id, mask),
            title=input.title,
            description=input.description,
            expected_version=input.expected_version,
        )
        return ModuleSuccess(module=Module(row=row))

    @strawberry.mutation(description="Delete a module and its lessons.")
    async def delete_module(
        self, info: Info, input: Annotated[ModuleIdInput, strawberry.argument(description="What to do.")]
    ) -> DeleteModuleResult:
        catalog, mask = service(info)
        await catalog.delete_module(ids.decode(ids.MODULE, input.id, mask), expected_version=input.expected_version)
        return DeleteSuccess(deleted_id=input.id)

    @strawberry.mutation(description="Put a course's modules in a new order.")
    async def reorder_modules(
        self, info: Info, input: Annotated[ReorderModulesInput, strawberry.argument(description="What to do.")]
    ) -> ReorderModulesResult:
        catalog, mask = service(info)
        row = await catalog.reorder_modules(
            ids.decode(ids.COURSE, input.course_id, mask),
            [ids.decode(ids.MODULE, text, mask) for text in input.module_ids],
            expected_version=input.expected_version,
        )
        return CourseSuccess(course=Course(row=row))

    @strawberry.mutation(description="Add a lesson at the end of a module.")
    async def create_lesson(
        self, info: Info, input: Annotated[CreateLessonInput, strawberry.argument(description="What to do.")]
    ) -> CreateLessonResult:
        catalog, mask = service(info)
        row = await catalog.create_lesson(
            ids.decode(ids.MODULE, input.module_id, mask),
            fields_of(input, LESSON),
            blocks=blocks_of(input.blocks, mask),
            idempotency_key=input.idempotency_key,
        )
        return LessonSuccess(lesson=Lesson(row=row))

    @strawberry.mutation(description="Change a lesson or its content.")
    async def update_lesson(
        self, info: Info, input: Annotated[UpdateLessonInput, strawberry.argument(description="What to do.")]
    ) -> UpdateLessonResult:
        catalog, mask = service(info)
        row = await catalog.update_lesson(
            ids.decode(ids.LESSON, input.id, mask),
            fields_of(input, LESSON),
            blocks=None if input.blocks is None else blocks_of(input.blocks, mask),
            expected_version=input.expected_version,
        )
        return LessonSuccess(lesson=Lesson(row=row))

    @strawberry.mutation(description="Delete a lesson; it no longer counts.")
    async def delete_lesson(
        self, info: Info, input: Annotated[LessonIdInput, strawberry.argument(description="What to do.")]
    ) -> DeleteLessonResult:
        catalog, mask = service(info)
        await catalog.delete_lesson(ids.decode(ids.LESSON, input.id, mask), expected_version=input.expected_version)
        return DeleteSuccess(deleted_id=input.id)

    @strawberry.mutation(description="Put a module's lessons in a new order, or move lessons there.")
    async def reorder_lessons(
        self, info: Info, input: Annotated[ReorderLessonsInput, strawberry.argument(description="What to do.")]
    ) -> ReorderLessonsResult:
        catalog, mask = service(info)
        row = await catalog.reorder_lessons(
            ids.decode(ids.MODULE, input.module_id, mask),
            [ids.decode(ids.LESSON, text, mask) for text in input.lesson_ids],
            expected_version=input.expected_version,
        )
        return ModuleSuccess(module=Module(row=row))
