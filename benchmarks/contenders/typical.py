"""What a team writes that follows the tutorials: Strawberry, SQLAlchemy's async ORM, DataLoaders, SET search_path."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import strawberry
from jose import jwt
from sqlalchemy import ForeignKey, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import SchemaExtension

SECRET = os.environ["JWT_SECRET"]
ENGINE = create_async_engine(os.environ["PEER_URL"], pool_size=10, max_overflow=0)
SESSIONS = async_sessionmaker(ENGINE, expire_on_commit=False)
TENANTS: set[str] = set()


class Base(DeclarativeBase):
    pass


class UserModel(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    full_name: Mapped[str]
    role: Mapped[str]


class CourseModel(Base):
    __tablename__ = "courses"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str]
    description: Mapped[str]
    instructor_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    category: Mapped[str]
    level: Mapped[str]
    is_published: Mapped[bool]
    created_at: Mapped[datetime]


class ModuleModel(Base):
    __tablename__ = "modules"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    course_id: Mapped[UUID]
    title: Mapped[str]
    position: Mapped[int]


class LessonModel(Base):
    __tablename__ = "lessons"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    module_id: Mapped[UUID]
    title: Mapped[str]
    position: Mapped[int]


class ProgressModel(Base):
    __tablename__ = "lesson_progress"
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    lesson_id: Mapped[UUID] = mapped_column(primary_key=True)
    completed_at: Mapped[datetime | None]
    position_s: Mapped[int]


class ReviewModel(Base):
    __tablename__ = "reviews"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    course_id: Mapped[UUID]
    rating: Mapped[int]


class Context(dict[str, Any]):
    """One request: who asks, a session, its loaders (a session takes one statement at a time)."""

    session: AsyncSession

    def __init__(self, user_id: UUID, tenant: str) -> None:
        super().__init__()
        self.user_id = user_id
        self.tenant = tenant
        self.lock = asyncio.Lock()
        self.users = DataLoader(self._users)
        self.lesson_counts = DataLoader(self._lesson_counts)
        self.ratings = DataLoader(self._ratings)
        self.modules = DataLoader(self._modules)
        self.lessons = DataLoader(self._lessons)
        self.progress = DataLoader(self._progress)

    async def run(self, statement: Any) -> Any:
        async with self.lock:
            return await self.session.execute(statement)

    async def _users(self, ids: list[UUID]) -> list[Any]:
        found = {user.id: user for user in (await self.run(select(UserModel).where(UserModel.id.in_(ids)))).scalars()}
        return [found.get(key) for key in ids]

    async def _lesson_counts(self, ids: list[UUID]) -> list[int]:
        query = (
            select(ModuleModel.course_id, func.count(LessonModel.id))
            .join(LessonModel, LessonModel.module_id == ModuleModel.id)
            .where(ModuleModel.course_id.in_(ids))
            .group_by(ModuleModel.course_id)
        )
        found = dict((await self.run(query)).tuples().all())
        return [found.get(key, 0) for key in ids]

    async def _ratings(self, ids: list[UUID]) -> list[float | None]:
        query = (
            select(ReviewModel.course_id, func.avg(ReviewModel.rating))
            .where(ReviewModel.course_id.in_(ids))
            .group_by(ReviewModel.course_id)
        )
        found = {key: float(mean) for key, mean in (await self.run(query)).tuples()}
        return [found.get(key) for key in ids]

    async def _modules(self, ids: list[UUID]) -> list[list[Any]]:
        found: dict[UUID, list[Any]] = {key: [] for key in ids}
        query = select(ModuleModel).where(ModuleModel.course_id.in_(ids)).order_by(ModuleModel.position)
        for module in (await self.run(query)).scalars():
            found[module.course_id].append(module)
        return [found[key] for key in ids]

    async def _lessons(self, ids: list[UUID]) -> list[list[Any]]:
        found: dict[UUID, list[Any]] = {key: [] for key in ids}
        query = select(LessonModel).where(LessonModel.module_id.in_(ids)).order_by(LessonModel.position)
        for lesson in (await self.run(query)).scalars():
            found[lesson.module_id].append(lesson)
        return [found[key] for key in ids]

    async def _progress(self, ids: list[UUID]) -> list[Any]:
        query = select(ProgressModel).where(ProgressModel.user_id == self.user_id, ProgressModel.lesson_id.in_(ids))
        found = {each.lesson_id: each for each in (await self.run(query)).scalars()}
        return [found.get(key) for key in ids]


Info = strawberry.Info[Context, None]


@strawberry.type
class User:
    id: strawberry.ID
    email: str
    full_name: str
    role: str


def user_of(model: UserModel) -> User:
    return User(id=strawberry.ID(str(model.id)), email=model.email, full_name=model.full_name, role=model.role)


@strawberry.type
class Progress:
    id: strawberry.ID
    completed_at: datetime | None
    position_s: int


@strawberry.type
class Lesson:
    key: strawberry.Private[UUID]
    id: strawberry.ID
    title: str
    position: int

    @strawberry.field
    async def my_progress(self, info: Info) -> Progress | None:
        found = await info.context.progress.load(self.key)
        if found is None:
            return None
        return Progress(
            id=strawberry.ID(str(found.lesson_id)), completed_at=found.completed_at, position_s=found.position_s
        )


@strawberry.type
class Module:
    key: strawberry.Private[UUID]
    id: strawberry.ID
    title: str
    position: int

    @strawberry.field
    async def lessons(self, info: Info) -> list[Lesson]:
        return [
            Lesson(key=each.id, id=strawberry.ID(str(each.id)), title=each.title, position=each.position)
            for each in await info.context.lessons.load(self.key)
        ]


@strawberry.type
class Course:
    key: strawberry.Private[UUID]
    instructor_id: strawberry.Private[UUID]
    id: strawberry.ID
    title: str
    description: str
    category: str
    level: str
    created_at: datetime

    @strawberry.field
    async def instructor(self, info: Info) -> User | None:
        found = await info.context.users.load(self.instructor_id)
        return user_of(found) if found else None

    @strawberry.field
    async def lesson_count(self, info: Info) -> int:
        return await info.context.lesson_counts.load(self.key)

    @strawberry.field
    async def average_rating(self, info: Info) -> float | None:
        return await info.context.ratings.load(self.key)

    @strawberry.field
    async def modules(self, info: Info) -> list[Module]:
        return [
            Module(key=each.id, id=strawberry.ID(str(each.id)), title=each.title, position=each.position)
            for each in await info.context.modules.load(self.key)
        ]


def course_of(model: CourseModel) -> Course:
    return Course(
        key=model.id, instructor_id=model.instructor_id, id=strawberry.ID(str(model.id)), title=model.title,
        description=model.description, category=model.category, level=model.level, created_at=model.created_at,
    )  # fmt: skip


@strawberry.type
class Query:
    @strawberry.field
    async def me(self, info: Info) -> User | None:
        found = await info.context.session.get(UserModel, info.context.user_id)
        return user_of(found) if found else None

    @strawberry.field
    async def courses(self, info: Info, first: int) -> list[Course]:
        query = (
            select(CourseModel)
            .where(CourseModel.is_published)
            .order_by(CourseModel.created_at.desc(), CourseModel.id)
            .limit(min(first, 100))
        )
        return [course_of(each) for each in (await info.context.run(query)).scalars()]

    @strawberry.field
    async def course(self, info: Info, id: strawberry.ID) -> Course | None:
        found = await info.context.session.get(CourseModel, UUID(id))
        return course_of(found) if found else None


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def save_progress(self, info: Info, lesson_id: strawberry.ID, position_s: int) -> Progress:
        query = insert(ProgressModel).values(
            user_id=info.context.user_id,
            lesson_id=UUID(lesson_id),
            completed_at=datetime.now(UTC),
            position_s=position_s,
        )
        query = query.on_conflict_do_update(
            index_elements=["user_id", "lesson_id"],
            set_={"completed_at": query.excluded.completed_at, "position_s": query.excluded.position_s},
        )
        written = query.returning(ProgressModel.lesson_id, ProgressModel.completed_at)
        row = (await info.context.session.execute(written)).one()
        return Progress(id=strawberry.ID(str(row.lesson_id)), completed_at=row.completed_at, position_s=position_s)


class SessionPerOperation(SchemaExtension):
    async def on_operation(self) -> AsyncIterator[None]:
        context: Context = self.execution_context.context
        async with SESSIONS() as session:
            await session.execute(text(f'SET LOCAL search_path TO "{context.tenant}"'))
            context.session = session
            yield
            await session.commit()


class Server(GraphQL[Context, None]):
    async def get_context(self, request: Any, response: Any = None) -> Context:
        try:
            token = request.headers["authorization"].removeprefix("Bearer ")
            claims = jwt.decode(token, SECRET, algorithms=["HS256"])
        except Exception:
            raise HTTPException(401) from None
        tenant = request.headers.get("x-tenant-id", "")
        if claims["tenant_id"] != tenant or tenant not in TENANTS:
            raise HTTPException(403)
        return Context(UUID(claims["sub"]), tenant)


@asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[None]:
    async with ENGINE.connect() as connection:
        TENANTS.update((await connection.execute(text("SELECT schema_name FROM control.tenants"))).scalars())
    yield
    await ENGINE.dispose()


schema = strawberry.Schema(Query, Mutation, extensions=[SessionPerOperation])
app = Starlette(routes=[Route("/graphql", Server(schema), methods=["GET", "POST"])], lifespan=_lifespan)
