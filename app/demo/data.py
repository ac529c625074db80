"""Two demo tenants with people and courses, made through the same services that everybody uses."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.catalog.outline import BlockOutline, CourseOutline, LessonOutline, ModuleOutline
from app.catalog.service import CatalogService
from app.db.database import Operation
from app.db.ids import new_id
from app.identity.founding import ADD_MEMBER, ADD_MEMBERSHIP, ADD_USER, USER_ID
from app.learning.service import LearningService
from app.platform import Platform
from app.tenancy.records import Tenant
from app.tenancy.service import TenantService
from app.viewer import Role, Viewer

DEMO_PASSWORD = "stegmaier demo 2026"  # noqa: S105 - printed on purpose; never loaded in production


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


async def load_demo(platform: Platform) -> None:
    """Make the demo tenants that are not there yet, with four people and three courses each."""
    service = TenantService(platform.database)
    for slug in dict.fromkeys(person.tenant for person in DEMO_PEOPLE):
        if await service.find(slug) is None:
            await _load_tenant(platform, slug)


async def _load_tenant(platform: Platform, slug: str) -> None:
    people = [person for person in DEMO_PEOPLE if person.tenant == slug]
    admin = people[0]
    tenant = await platform.founder.found(
        slug=slug, name=slug.title(), admin_email=admin.email, admin_name=admin.name, password=DEMO_PASSWORD
    )
    users = {person.role: await _add_person(platform, tenant, person) for person in people[1:]}
    db = Operation(platform.database, tenant.handle)
    teacher = Viewer(users[Role.INSTRUCTOR], tenant.id, None, Role.INSTRUCTOR)
    catalog = CatalogService(db, teacher, platform.changes)
    made = [await catalog.write_outline(outline, users[Role.INSTRUCTOR]) for outline in COURSES]
    for course_id in made:
        await catalog.publish_course(course_id)
    student = Viewer(users[Role.STUDENT], tenant.id, None, Role.STUDENT)
    await LearningService(db, student, platform.changes).enroll(made[1])


async def _add_person(platform: Platform, tenant: Tenant, person: DemoPerson) -> UUID:
    password_hash = await platform.passwords.hash(DEMO_PASSWORD)
    common = {"email": person.email, "full_name": person.name, "locale": "es", "verified": True}
    async with platform.database.control() as tx:
        await tx.execute(ADD_USER, id=new_id(), password_hash=password_hash, **common)
        user_id = await tx.one(USER_ID, "user", email=person.email)
        await tx.execute(ADD_MEMBERSHIP, user_id=user_id, tenant_id=tenant.id, role=person.role.value, status="active")
        await platform.jobs.sync_member(tx, user_id, tenant.id)
    async with platform.database.tenant(tenant.handle) as tx:
        await tx.execute(ADD_MEMBER, user_id=user_id, role=person.role.value, status="active", **common)
    return user_id
