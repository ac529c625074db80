"""Every statement and migration keeps what Citus asks, so that a tenant may live on such a node any day.

Tried on Citus 15: an UPDATE may call no VOLATILE function, RETURNING holds columns only, there is no MERGE, a message
holds one DDL command, a constraint is never renamed, nothing crosses schemas, and workers are reached as the tenant's
own role. These run without Citus: they read what would be sent.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import secrets
from collections.abc import Callable, Iterator
from inspect import signature
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import true

import app
from app.assessment import attempt_statements as attempts
from app.assessment import bank_statements as bank
from app.catalog import statements as catalog
from app.db.migrations import BASE, head, render
from app.db.prepare import EXTENSIONS, TEXT_SEARCH
from app.db.statements import Statement
from app.identity import statements as identity
from app.learning import enrollment_statements as enrolling
from app.main import Application
from app.tenancy.service import TenantService
from app.work import statements as work
from tests.world import World

ROOT = Path(__file__).resolve().parents[2]
LOCKING = re.compile(r"\bFOR UPDATE(?: OF \w+)?(?: SKIP LOCKED)?")
CALL = re.compile(r"\b(?:[a-z_]+\.)?([a-z_][a-z0-9_]*)\(", re.IGNORECASE)
TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|REFERENCES|TABLE) (?:ONLY )?([a-z_][\w.]*)\b(?!\()", re.IGNORECASE)
COLUMNS = re.compile(r"(?:\w+\.){0,2}\w+(?: AS \w+)?")
FORBIDDEN_DDL = re.compile(
    r"\bRENAME CONSTRAINT\b|\bCREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|TRIGGER|RULE)\b|\bMERGE\b|\bpublic\.",
    re.IGNORECASE,
)
# What the factories of statements are asked for: each filter alone, and none.
FILTERS = {
    bank: tuple(bank.FILTERS),
    catalog: tuple(catalog.FILTERS),
    enrolling: tuple(enrolling._FILTERS),
    identity: ("search", "role", "status"),
    work: tuple(work._FILTERS),
    attempts: tuple(attempts.FILTERS),
}
ORDERS = {bank: tuple(bank.ORDERS), catalog: tuple(catalog.ORDERS), identity: tuple(identity.ORDERS)}


def breaches(sql: str, volatile: frozenset[str]) -> list[str]:
    """The rules that a statement breaks, in words."""
    sql = LOCKING.sub("", sql)
    found = []
    if ";" in sql:
        found.append("more than one command")
    if re.match(r"\s*(WITH\b.*\b)?MERGE\b", sql, re.IGNORECASE | re.DOTALL):
        found.append("MERGE")
    if re.search(r"\bUPDATE\b", sql):
        found += [f"{name}() is volatile" for name in CALL.findall(sql) if name.lower() in volatile]
    found += [f"RETURNING {item}" for item in returned(sql) if not COLUMNS.fullmatch(item)]
    tables = set(TABLE.findall(sql)) - {"SET"}  # DO UPDATE SET
    if len({"." in table for table in tables}) > 1:
        found.append(f"control and tenant tables in one statement: {sorted(tables)}")
    return found


def returned(sql: str) -> Iterator[str]:
    """What the RETURNING clauses of a statement and of its common table expressions list."""
    for clause in sql.split(" RETURNING ")[1:]:
        depth, item = 0, ""
        for character in clause:
            depth += (character == "(") - (character == ")")
            if depth < 0:
                break
            if character == "," and depth == 0:
                yield item.strip()
                item = ""
            else:
                item += character
        yield item.strip()


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(app.__path__, "app."):
        if found.name != "app.__main__":
            yield importlib.import_module(found.name)


def made_by(factory: Callable[..., Statement[Any]], module: ModuleType) -> Iterator[Statement[Any]]:
    """A factory's statements for every value of each of its parameters. Raises KeyError for a new kind of parameter."""
    values: dict[str, tuple[Any, ...]] = {
        "scope": ("all", "own", "published"),
        "order": ORDERS.get(module, ()),
        "condition": (true(),),
        "used": (frozenset(), *(frozenset({name}) for name in FILTERS.get(module, ()))),
    }
    choices = (
        (False, True) if parameter.annotation == "bool" else values[name]
        for name, parameter in signature(factory).parameters.items()
    )
    for arguments in product(*choices):
        yield factory(*arguments)


def is_factory(value: object) -> bool:
    return callable(value) and str(getattr(value, "__annotations__", {}).get("return")).startswith("Statement[")


def every_statement() -> dict[str, str]:
    """Name and SQL of every statement in ``app``."""
    found = {}
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, Statement):
                found[f"{module.__name__}.{name}"] = value.sql
            elif is_factory(value) and value.__module__ == module.__name__:
                for number, made in enumerate(made_by(value, module)):
                    found[f"{module.__name__}.{name}#{number}"] = made.sql
    return found


@pytest.fixture
async def volatile(acme: World) -> frozenset[str]:
    """The names of the functions that PostgreSQL and its extensions call VOLATILE."""
    rows = await acme.as_owner("SELECT DISTINCT proname FROM pg_catalog.pg_proc WHERE provolatile = 'v'")
    return frozenset(str(row[0]) for row in rows)


async def test_every_statement_could_run_on_citus(volatile: frozenset[str]) -> None:
    statements = every_statement()
    assert len(statements) > 200
    assert {name: found for name, sql in statements.items() if (found := breaches(sql, volatile))} == {}


@pytest.mark.parametrize(
    ("sql", "breach"),
    [
        ("UPDATE courses SET published_at = clock_timestamp()", "clock_timestamp() is volatile"),
        ("UPDATE courses SET id = gen_random_uuid() WHERE true", "gen_random_uuid() is volatile"),
        ("INSERT INTO a (b) VALUES (1) ON CONFLICT (b) DO UPDATE SET b = random()", "random() is volatile"),
        ("UPDATE courses SET a = 1 RETURNING courses.id, now()", "RETURNING now()"),
        ("DELETE FROM a RETURNING a.b + 1 AS c", "RETURNING a.b + 1 AS c"),
        ("WITH x AS (DELETE FROM a RETURNING a.b, now()) SELECT b, 1 FROM x", "RETURNING now()"),
        ("MERGE INTO a USING b ON true WHEN MATCHED THEN DO NOTHING", "MERGE"),
        ("SELECT 1; SELECT 2", "more than one command"),
        (
            "SELECT 1 FROM members JOIN control.users ON true",
            "control and tenant tables in one statement: ['control.users', 'members']",
        ),
    ],
)
async def test_a_breach_is_noticed(sql: str, breach: str, volatile: frozenset[str]) -> None:
    assert breaches(sql, volatile) == [breach]


async def test_what_is_allowed_is_not_called_a_breach(volatile: frozenset[str]) -> None:
    for sql in (
        "UPDATE courses SET updated_at = now(), title = lower(title) WHERE id = %(id)s RETURNING courses.id AS key",
        "INSERT INTO a (id) VALUES (gen_random_uuid()) ON CONFLICT DO NOTHING RETURNING a.id, a.b",
        "SELECT random() FROM courses JOIN modules ON true FOR UPDATE OF courses SKIP LOCKED",
    ):
        assert breaches(sql, volatile) == []


async def test_every_tenant_migration_could_run_on_citus(volatile: frozenset[str]) -> None:
    sent = [*render("tenant", BASE, head("tenant")), *render("tenant", head("tenant"), BASE)]
    assert len(sent) > 40
    for statement in sent:
        assert breaches(statement, volatile) == [], statement
        assert not FORBIDDEN_DDL.search(statement), statement
        assert not any("." in table for table in TABLE.findall(statement)), statement


def test_shared_functions_read_no_table() -> None:
    for command in (*EXTENSIONS, *TEXT_SEARCH):
        assert "FUNCTION" not in command or not re.search(r"\b(FROM|JOIN)\b", command), command


def test_sizes_are_not_asked_of_functions_that_see_one_node_only() -> None:
    for path in (ROOT / "app").rglob("*.py"):
        assert not re.search(r"pg_(total_)?(relation|table|indexes)_size", path.read_text(encoding="utf-8")), path


async def test_a_tenants_role_may_log_in_only_where_the_engine_needs_it(application: Application, acme: World) -> None:
    """A Citus worker is reached as the tenant's role, and hears of no SET LOCAL lock_timeout."""
    role = """SELECT r.rolcanlogin, r.rolconfig, a.rolpassword
              FROM pg_roles r JOIN pg_authid a ON a.oid = r.oid WHERE r.rolname = """
    assert await acme.as_owner(f"{role} '{acme.tenant.role_name}'") == [(False, None, None)]
    await acme.as_owner(
        f"""INSERT INTO control.nodes (node_number, engine, dsn) VALUES (7, 'citus', '{acme.platform.config.owner_dsn}')
            ON CONFLICT DO NOTHING"""
    )
    slug = f"sharded-{secrets.token_hex(3)}"
    service = TenantService(application.platform.database)
    async with service.found(slug=slug, name="X", node_number=7):
        pass
    made = await service.get(slug)
    await acme.as_owner(f"UPDATE control.tenants SET state = 'archived' WHERE slug = '{slug}'")  # nothing serves node 7
    assert await acme.as_owner(f"{role} '{made.role_name}'") == [(True, ["lock_timeout=3s"], None)]
