"""GraphiQL, built into the project: nothing is loaded from anywhere else."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).with_name("graphiql")
# Monaco makes its workers from blobs and writes styles into elements; everything else comes from here.
POLICY = (
    "default-src 'self'; script-src 'self'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: https:; font-src 'self' data:; connect-src 'self' ws: wss:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Assets(StaticFiles):
    """Files whose names change with their content: browsers may keep them for good."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """As StaticFiles does, with headers."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def graphiql_routes() -> list[Route | Mount]:
    """``GET /graphiql``, its assets and its examples; ``/`` leads there."""

    async def page(_: Request) -> Response:
        return FileResponse(FOLDER / "index.html", headers=HEADERS)

    async def examples(_: Request) -> Response:
        return FileResponse(FOLDER / "examples.json", headers=HEADERS, media_type="application/json")

    async def root(_: Request) -> Response:
        return RedirectResponse("/graphiql", 307)

    return [
        Route("/", root),
        Route("/graphiql", page),
        Route("/graphiql/examples.json", examples),
        Mount("/graphiql/assets", Assets(directory=FOLDER / "assets", check_dir=False)),
    ]
