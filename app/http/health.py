"""Is the process alive, and can it serve?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Check = Callable[[], Awaitable[str | None]]
PATHS = frozenset({"/health", "/ready"})


def health_routes(checks: dict[str, Check]) -> list[Route]:
    """``GET /health`` (200 while the process lives) and ``GET /ready`` (200 only when every check passes).

    A check returns None, or what is wrong in a few words that may be shown to anybody.
    """

    async def health(_: Request) -> Response:
        return _json({"status": "ok"})

    async def ready(_: Request) -> Response:
        results = await asyncio.gather(*(_run(check) for check in checks.values()))
        problems = {name: problem for name, problem in zip(checks, results, strict=True) if problem}
        body = {name: problems.get(name, "ok") for name in checks}
        return _json({"status": "unavailable" if problems else "ok", "checks": body}, 503 if problems else 200)

    return [Route("/health", health, methods=["GET"]), Route("/ready", ready, methods=["GET"])]


async def _run(check: Check) -> str | None:
    try:
        async with asyncio.timeout(3):
            return await check()
    except Exception as error:  # a broken check is an answer, whatever broke it
        return type(error).__name__


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json", headers={"Cache-Control": "no-store"})
