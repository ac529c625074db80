"""``GET /files/{key}``: files of the local folder, by addresses that were signed for a short while."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.outside.storage import FileMissing, LocalStorage, Storage, disposition


def file_routes(storage: Storage) -> list[Route]:
    """Nothing with an object store, which serves its files itself."""
    if not isinstance(storage, LocalStorage):
        return []

    async def file(request: Request) -> Response:
        """The file; every address that was not made here, or has ended, is like one of nothing."""
        key, query = request.path_params["key"], request.query_params
        name, media_type = query.get("name", ""), query.get("type", "")
        until, signature = query.get("until", ""), query.get("signature", "")
        if not storage.admits(key, filename=name, media_type=media_type, until=until, signature=signature):
            raise HTTPException(404)
        try:
            body = await storage.get(key)
        except FileMissing as error:
            raise HTTPException(404) from error
        headers = {
            "Content-Disposition": disposition(name),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
        }
        return Response(body, media_type=media_type, headers=headers)

    return [Route("/files/{key:path}", file, methods=["GET"])]
