"""Composition root: settings, databases, schema and HTTP become one Starlette application."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

import schema
from app.http.credentials import credential_routes
from app.http.files import file_routes
from app.http.graphiql_page import graphiql_routes
from app.http.health import PATHS, Check, health_routes
from app.http.hosts import HostGuard
from app.http.responses import http_exception, unexpected
from app.platform import Platform
from app.settings import Settings
from app.worker import Worker
from schema.context import Context
from schema.responses import ResponseCache
from schema.server import GraphQLServer

# Answers are thousands of small objects that die together: looking for cycles every 700 of them finds none.
GC_THRESHOLD = (10_000, 10, 10)


class Application:
    """The platform with its HTTP face; ``asgi`` is what a server serves."""

    def __init__(self, settings: Settings, owner_dsn: str) -> None:
        self.settings = settings
        self.platform = Platform(settings, owner_dsn)
        self.worker = Worker(self.platform)
        built = schema.build(settings)
        self.responses = ResponseCache(self.platform.cache, self.platform.changes, built, prefix=settings.env)
        self.graphql = GraphQLServer(built, self._context, self.responses, origins=settings.cors_origins)
        checks: dict[str, Check] = {
            "database": self.platform.check_database,
            "storage": self.platform.storage.check,
        }
        if settings.redis_url is not None and self.platform.cache is not None:
            checks["cache"] = self.platform.cache.check
        self._others = Starlette(
            routes=[
                *health_routes(checks),
                *credential_routes(self.platform.desk, self.platform.reception),
                *file_routes(self.platform.storage),
                Route("/graphql", self.graphql),
                WebSocketRoute("/graphql", self.graphql),
                *graphiql_routes(),
            ],
            exception_handlers={HTTPException: http_exception, Exception: unexpected},
            lifespan=self._lifespan,
        )
        self.asgi: ASGIApp = CORSMiddleware(
            HostGuard(
                self._serve,
                allowed=settings.allowed_hosts,
                base_domain=settings.base_domain,
                directory=self.platform.tenants,
                open_to_all=PATHS,
            ),
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-tenant-id", "x-request-id", "accept-language"],
            expose_headers=["x-request-id", "retry-after"],
            max_age=600,
        )

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GraphQL by the short way: it needs neither Starlette's router nor its handlers of errors."""
        is_graphql = scope["type"] != "lifespan" and scope["path"] == "/graphql"
        await (self.graphql if is_graphql else self._others)(scope, receive, send)

    async def open(self) -> None:
        """Connect, listen for news, open the job queue."""
        await self.platform.open()
        await self.worker.open()

    async def close(self) -> None:
        """The reverse, in reverse."""
        await self.worker.close()
        await self.platform.close()

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self.open()
        if self.settings.inline_worker:
            self.worker.start()
        # What start-up has made lives as long as the process; walking it again and again took 1.9 times the CPU of a
        # large answer.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLD)
        try:
            yield
        finally:
            await self.close()

    async def _context(self, headers: Mapping[str, str], peer: str | None) -> Context:
        return Context(self.platform, await self.platform.reception.receive(headers, peer))
