"""What the comparison of both executors over the whole schema needs: a filled tenant, and names for what is in it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLSchema,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    parse,
    print_ast,
    visit,
)

from app.http.viewer import Asker
from app.identity.rows import Client
from app.viewer import ANONYMOUS, Role
from schema import ids
from schema.context import Context
from tests.world import PASSWORD, World

ROLES: tuple[Role | None, ...] = (Role.STUDENT, Role.INSTRUCTOR, Role.ADMIN, Role.ANALYST, None)
IDENTIFIER = re.compile(r"\b[a-z]{3}_[0-9a-f]{32}\b")
OPAQUE = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "time"),
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "token"),
    (re.compile(r"\"[\w-]{24,}=*\""), '"opaque"'),
    (re.compile(r"\"(?:[2-9A-HJ-NP-Z]{4}-){0,2}[2-9A-HJ-NP-Z]{4}\""), '"invite code"'),
)
WORDS = ("Álgebra", "alg", '"Álgebra"', "", "  ", "x" * 300, "a@<slug 0>.test", "es", "2026")
USUAL = {
    "title": "Álgebra",
    "fullName": "Ana Pérez",
    "password": PASSWORD,
    "newPassword": f"{PASSWORD}!",
    "currentPassword": PASSWORD,
    "description": "<p>x</p>",
    "language": "es",
    "locale": "es",
    "category": "math",
    "url": "https://www.youtube.com/embed/x",
    "coverUrl": "https://a.test/x.png",
    "timeZone": "America/Santiago",
    "email": "new@<slug 0>.test",
    "phone": "+56912345678",
}
NUMBERS = (1, 2, 3, 5, 0, -1, 101)


@dataclass
class Twin:
    """A tenant in which everything has a name that it also has in another tenant, filled in the same way."""

    world: World
    names: dict[str, str] = field(default_factory=dict)  # what clients see -> its name
    kinds: dict[str, list[str]] = field(default_factory=dict)  # kind -> names

    def name(self, kind: str, text: str) -> None:
        """Give something the next name of its kind."""
        if text not in self.names:
            known = self.kinds.setdefault(kind, [])
            known.append(f"<{kind} {len(known)}>")
            self.names[text] = known[-1]

    def said(self, text: str) -> str:
        """A text with names as this tenant's clients would write it."""
        for own, name in self.names.items():
            text = text.replace(name, own)
        return text

    def told(self, text: str) -> str:
        """A text of this tenant with names in it, and without what is different every time."""
        for found in IDENTIFIER.findall(text):
            self.name(found[:3], found)
        for own, name in sorted(self.names.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(own, name)
        for pattern, word in OPAQUE:
            text = pattern.sub(word, text)
        return text

    async def context(self, role: Role | None, *, tenant: bool = True) -> Context:
        """What resolvers get when a person of this role asks."""
        world = self.world
        viewer = ANONYMOUS if role is None else world.viewer(await world.some(role))
        client = Client(f"host of {world.tenant.slug}", None)
        asker = Asker(world.tenant if tenant else None, viewer, "en", "differential-test", client)
        return Context(world.platform, asker)


async def filled(world: World) -> Twin:
    """A tenant with courses in every state, learners half way, and reviews."""
    twin = Twin(world)
    twin.name("slug", world.tenant.slug)
    for role in Role:
        if role in ROLES:
            world.people[role] = person = await world.person(role, name=f"{role.title()} Pérez")
            twin.name("mail", person.email)
            twin.name("usr", person.id)
    for number, published in enumerate((True, True, False)):
        title = f"Álgebra {number}"
        course = world.id(ids.COURSE, await world.course(title, modules=2, lessons=2, published=published))
        twin.name("crs", course)
        query = "query($id: ID!) { course(id: $id) { modules { id lessons { id } } } }"
        found = (await world.ask(query, as_=Role.ADMIN, id=course))["course"]
        for module in found["modules"]:
            twin.name("mod", module["id"])
            for lesson in module["lessons"]:
                twin.name("lsn", lesson["id"])
    for course in ("<crs 0>", "<crs 1>"):
        await world.ask(twin.said(f'mutation {{ enroll(input: {{courseId: "{course}"}}) {{ __typename }} }}'),
                        as_=Role.STUDENT)  # fmt: skip
    for text in (
        'completeLesson(input: {lessonId: "<lsn 0>"})',
        'reviewCourse(input: {courseId: "<crs 0>", rating: 4})',
    ):
        await world.ask(twin.said(f"mutation {{ {text} {{ __typename }} }}"), as_=Role.STUDENT)
    for kind, query in (
        ("cursor", "{ courses(first: 3) { edges { cursor } } }"),
        ("cursor", "{ users(first: 3) { edges { cursor } } }"),
        ("enr", "{ enrollments { edges { cursor node { id } } } }"),
    ):
        for edges in (await world.ask(query, as_=Role.ADMIN)).values():
            for edge in edges["edges"]:
                twin.name("cursor", edge["cursor"])
                if kind == "enr":
                    twin.name("enr", edge["node"]["id"])
    return twin


@dataclass
class Picker:
    """Picks values that mean something in a filled tenant, mostly."""

    twin: Twin

    def __call__(self, rng: random.Random, scalar: str, name: str) -> Any:
        match scalar:
            case "ID":
                return self._identifier(rng, name.lower())
            case "Int":
                return rng.choice(NUMBERS[:3] if rng.random() < 0.8 else NUMBERS)
            case "Boolean":
                return rng.random() < 0.5
            case "Float":
                return rng.choice((0.0, 0.5, 1.5))
            case "DateTime":
                return "2026-01-01T00:00:00Z"
            case "Decimal":
                return rng.choice(("0.5", "1", "95.25"))
            case "UUID":
                return f"00000000-0000-7000-8000-{rng.randrange(20):012d}"
        if name in {"after", "before"} and rng.random() < 0.8:
            return rng.choice(self.twin.kinds["cursor"])
        if name == "email" and rng.random() < 0.7:
            return rng.choice(self.twin.kinds["mail"])
        if name in USUAL and rng.random() < 0.8:
            return USUAL[name]
        return rng.choice(WORDS)

    def _identifier(self, rng: random.Random, name: str) -> str:
        kinds = self.twin.kinds
        wanted = {"course": "crs", "module": "mod", "lesson": "lsn", "user": "usr", "instructor": "usr"}
        kind = next((kind for word, kind in wanted.items() if word in name), None)
        if rng.random() < 0.05:
            return "nonsense"
        if kind is None or rng.random() < 0.05:
            kind = rng.choice([kind for kind in ("crs", "mod", "lsn", "usr", "enr") if kind in kinds])
        return rng.choice(kinds[kind])


def with_real_values(text: str, schema: GraphQLSchema, pick: Picker, rng: random.Random) -> str:
    """An operation whose identifiers, cursors and sizes are such as there are."""
    info = TypeInfo(schema)

    class Replace(Visitor):
        def enter(self, node: Any, key: Any, parent: Any, *_: Any) -> Any:
            kind = info.get_input_type()
            scalar = get_named_type(kind).name if kind is not None else None
            name = getattr(getattr(parent, "name", None), "value", "")
            argument = info.get_argument()
            if scalar == "ID" and node.kind in {"string_value", "int_value"}:
                return StringValueNode(value=pick(rng, "ID", name))
            if node.kind == "string_value" and argument is not None and name in {"after", "before"}:
                return StringValueNode(value=pick(rng, "String", name))
            return None

    return print_ast(visit(parse(text), TypeInfoVisitor(info, Replace())))


def replaced(value: Any, twin: Twin) -> Any:
    """Variables as a tenant's clients would send them."""
    match value:
        case str():
            return twin.said(value)
        case list():
            return [replaced(each, twin) for each in value]
        case dict():
            return {key: replaced(each, twin) for key, each in value.items()}
    return value


def shares(counts: Iterable[tuple[str, int]]) -> str:
    """Counts in one line."""
    return ", ".join(f"{number} {what}" for what, number in counts)
