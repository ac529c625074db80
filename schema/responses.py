"""Finished answers of public catalogue queries, kept for everybody in the tenant who would get the same."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any

from strawberry import Schema
from strawberry.types.execution import ExecutionResult

from app.catalog.reading import scope_of
from app.db.changes import Changes
from app.outside.cache import Cache, Key, tenant_key
from schema.context import Context
from schema.public import LONGEST, PublicOperation, public_operation

DOCUMENTS = 1024
PUBLISHED = "published"


class ResponseCache:
    """Asked after tenant and viewer are known and let in; never asked by who is nobody.

    ``key`` comes before anything is read, and names the catalogue's version at that moment: what is read later is at
    least as new, so an answer is never older than the version it is kept under.
    """

    def __init__(self, cache: Cache | None, changes: Changes, schema: Schema, *, prefix: str) -> None:
        """Without a cache there are no keys, so nothing is found and nothing kept."""
        self._cache = cache
        self._changes = changes
        self._schema = schema._schema
        self._prefix = prefix
        self._operations: OrderedDict[tuple[str, str | None], PublicOperation | None] = OrderedDict()
        self.counts: Counter[str] = Counter()

    def key(self, context: Context, query: str, name: str | None, variables: Mapping[str, Any] | None) -> Key | None:
        """What this request's answer is kept under; None when it may be different for somebody else."""
        tenant, viewer = context.tenant, context.viewer
        if self._cache is None or tenant is None or viewer.user_id is None or scope_of(viewer) != PUBLISHED:
            return None
        operation = self._operation(query, name)
        digest = None if operation is None else operation.digest(variables or {})
        version = None if digest is None else self._changes.version(tenant.id)
        if digest is None or version is None:
            return None
        return tenant_key(self._prefix, tenant.id, tenant.generation, "catalog", version, PUBLISHED, digest)

    async def find(self, key: Key) -> bytes | None:
        """The body of the answer, as it was first sent."""
        found = None if self._cache is None else await self._cache.get(key)
        self.counts["misses" if found is None else "hits"] += 1
        return found

    def keep(self, key: Key, result: ExecutionResult, body: bytes) -> None:
        """Keep a sent answer; never one with an error, or with extensions, which are about one request."""
        if self._cache is not None and not result.errors and not result.extensions:
            self._cache.put(key, body)

    def _operation(self, query: str, name: str | None) -> PublicOperation | None:
        """Decided once per document."""
        known = (query, name)
        if known in self._operations:
            self._operations.move_to_end(known)
            return self._operations[known]
        operation = public_operation(self._schema, query, name)
        if len(query) <= LONGEST:
            self._operations[known] = operation
            if len(self._operations) > DOCUMENTS:
                self._operations.popitem(last=False)
        return operation
