"""Two demo tenants with people and courses, made through the same services that everybody uses."""

from __future__ import annotations

from dataclasses import dataclass

from app.viewer import Role

DEMO_PASSWORD = "stegmaier demo 2026"  # noqa: S105 - printed on purpose; demo data is never loaded in production


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody who can log in to a demo tenant."""

    tenant: str
    role: Role
    email: str
    name: str


DEMO_PEOPLE = tuple(
    DemoPerson(tenant, role, f"{role}@{tenant}.test", name)
    for tenant, names in {
        "acme": ("Ana Admin", "Inés Instructora", "Esteban Estudiante", "Alba Analista"),
        "globex": ("Gus Admin", "Greta Instructora", "Gael Estudiante", "Gina Analista"),
    }.items()
    for role, name in zip((Role.ADMIN, Role.INSTRUCTOR, Role.STUDENT, Role.ANALYST), names, strict=True)
)
