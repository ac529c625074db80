"""Two demo tenants with people and courses, made through the same services that everybody uses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.catalog.outline import BlockOutline, CourseOutline, LessonOutline, ModuleOutline
from app.catalog.service import CatalogService
from app.catalog.tables import courses
from app.db.changes import Changes
from app.db.database import Operation
from app.db.ids import new_id
from app.db.setup import owner
from app.db.statements import Statement
from app.errors import Forbidden
from app.identity.directory import copy_member
from app.identity.founding import ADD_USER, USER_ID
from app.identity.statements import PUT_MEMBERSHIP
from app.learning.enrolling import EnrollmentService
from app.learning.tables import enrollments
from app.platform import Platform
from app.tenancy.records import Tenant
from app.tenancy.service import TenantService
from app.viewer import Role, Viewer

DEMO_PASSWORD = "stegmaier demo 2026"  # noqa: S105 - printed on purpose, refused in production


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody who can log in to a demo tenant."""

    tenant: str
    role: Role
    email: str
    name: str


ROLES = (Role.ADMIN, Role.INSTRUCTOR, Role.STUDENT, Role.ANALYST)
DEMO_PEOPLE = tuple(
    DemoPerson(tenant, role, f"{role}@{tenant}.test", name)
    for tenant, names in {
        "acme": ("Ana Araya", "Inés Ibarra", "Esteban Espinoza", "Alba Aliaga"),
        "globex": ("Gustavo Gómez", "Greta Guzmán", "Gael Godoy", "Gina Garrido"),
    }.items()
    for role, name in zip(ROLES, names, strict=True)
)

DEMO_SLUGS = tuple(dict.fromkeys(person.tenant for person in DEMO_PEOPLE))


def _lesson(title: str, text: str, video: str | None = None, seconds: int = 0) -> LessonOutline:
    blocks = [BlockOutline("rich_text", {"html": f"<p>{text}</p>"}, title)]
    if video:
        blocks.append(BlockOutline("video", {"url": video, "duration_seconds": seconds}, "Video"))
    return LessonOutline(title, tuple(blocks))


COURSES = (
    CourseOutline(
        title="Programación en Python desde cero",
        description="<p>Variables, funciones y tus primeros programas, sin conocimientos previos.</p>",
        category="Programación",
        level="beginner",
        tags=("python", "programación", "principiantes"),
        modules=(
            ModuleOutline(
                "Primeros pasos",
                (
                    _lesson("Bienvenida", "Qué aprenderás y cómo avanzar a tu ritmo."),
                    _lesson("Variables", "Un nombre para un valor: <code>edad = 34</code>."),
                    _lesson("Funciones", "Un nombre para lo que haces a menudo: <code>def saludar(): ...</code>."),
                ),
            ),
            ModuleOutline(
                "Decidir y repetir",
                (
                    _lesson("Condiciones", "<code>if</code>, <code>elif</code> y <code>else</code>."),
                    _lesson("Ciclos", "<code>for</code> para cada elemento, <code>while</code> mientras se cumpla."),
                ),
            ),
        ),
    ),
    CourseOutline(
        title="Álgebra para todos",
        description="<p>De los números a las letras, con ejemplos de todos los días.</p>",
        category="Matemáticas",
        level="all",
        tags=("álgebra", "matemáticas"),
        modules=(
            ModuleOutline(
                "Ecuaciones",
                (
                    _lesson("La balanza", "Lo que haces a un lado, hazlo al otro."),
                    _lesson("Despejar", "Deja la incógnita sola, paso a paso."),
                ),
            ),
        ),
    ),
    CourseOutline(
        title="Workplace safety",
        description="<p>What everybody should know before the first day.</p>",
        category="Safety",
        level="all",
        language="en",
        tags=("safety", "onboarding"),
        modules=(
            ModuleOutline(
                "Before you start",
                (_lesson("Your equipment", "Check it every day."), _lesson("Emergencies", "Know your way out.")),
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class LoadedCourse:
    """A course that an earlier run has written."""

    id: UUID
    title: str
    published_at: datetime | None


LOADED_COURSES = Statement(
    select(courses.c.id, courses.c.title, courses.c.published_at).order_by(courses.c.id).limit(1000), LoadedCourse
)
# The enrolment is what loading ends with; it stays, whatever the student does to it.
IS_COMPLETE = Statement(select(select(enrollments.c.id).exists()), bool)


async def load_demo(platform: Platform) -> None:
    """Make the demo tenants, with four people and three courses each, or finish what an interrupted run has left.

    A complete one is not touched: what people did to it since is theirs. Of two runs at once the second waits and
    finds nothing to do. Raises Forbidden in production, where a published password must not open anything.
    """
    if platform.settings.env == "production":
        raise Forbidden("the demo tenants have public passwords; production does not load them", code="DEMO_FORBIDDEN")
    async with owner(platform.config.owner_dsn) as guard:
        await guard.execute("SELECT pg_advisory_lock(hashtextextended('demo', 0))")
        for slug in DEMO_SLUGS:
            await _load_tenant(platform, slug)


async def _load_tenant(platform: Platform, slug: str) -> None:
    people = [person for person in DEMO_PEOPLE if person.tenant == slug]
    admin = people[0]
    tenant = await TenantService(platform.database).find(slug) or await platform.founder.found(
        slug=slug, name=slug.title(), admin_email=admin.email, admin_name=admin.name, password=DEMO_PASSWORD
    )
    db = Operation(platform.database, tenant.handle)
    async with db.read() as tx:
        is_complete = await tx.one(IS_COMPLETE)
    await db.close()
    if is_complete:
        return
    users = {person.role: await _add_person(platform, tenant, person) for person in people[1:]}
    made = await _load_courses(db, users[Role.INSTRUCTOR], platform.changes)
    student = Viewer(users[Role.STUDENT], tenant.id, None, Role.STUDENT)
    await EnrollmentService(db, student).enroll(made[1])


async def _load_courses(db: Operation, instructor_id: UUID, changes: Changes) -> list[UUID]:
    catalog = CatalogService(db, Viewer(instructor_id, db.tenant.id, None, Role.INSTRUCTOR), changes)
    async with db.read() as tx:
        loaded = {course.title: course for course in await tx.all(LOADED_COURSES)}
    made = []
    for outline in COURSES:
        course = loaded.get(outline.title)
        course_id = course.id if course else await catalog.write_outline(outline, instructor_id)
        if course is None or course.published_at is None:
            await catalog.publish_course(course_id)
        made.append(course_id)
    return made


async def _add_person(platform: Platform, tenant: Tenant, person: DemoPerson) -> UUID:
    password_hash = await platform.passwords.hash(DEMO_PASSWORD)
    async with platform.database.control() as tx:
        await tx.execute(
            ADD_USER, id=new_id(), email=person.email, full_name=person.name, locale="es", verified=True,
            password_hash=password_hash,
        )  # fmt: skip
        user_id = await tx.one(USER_ID, "user", email=person.email)
        await tx.execute(PUT_MEMBERSHIP, user_id=user_id, tenant_id=tenant.id, role=person.role.value, status="active")
        await platform.jobs.sync_member(tx, user_id, tenant.id)
    await copy_member(platform.database, platform.changes, tenant, user_id)
    return user_id
