"""Certificates for everybody: the page that says whether one is genuine, and what verifiers of badges ask for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from babel.dates import format_date
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.credentials import badges
from app.credentials.codes import printed
from app.credentials.desk import Desk
from app.credentials.facts import Facts
from app.credentials.rows import CertificateRow
from app.errors import Forbidden, Invalid, NotFound, Refusal
from app.http.resolution import tenant_not_found
from app.http.responses import refusal_response, say
from app.http.viewer import Asker, Reception, request_id
from app.i18n import Locale, message, negotiate, translate
from app.tenancy.records import Tenant

PAGES = Path(__file__).with_name("pages")
STYLE = (PAGES / "verify.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}
MOST_LISTS = 10_000  # of 131,072 certificates each
HEADLINES = {
    "valid": message("This certificate is valid"),
    "grace": message("This certificate has ended and can still be renewed"),
    "expired": message("This certificate has expired"),
    "revoked": message("This certificate was revoked"),
    "superseded": message("This certificate was replaced by a newer one"),
}
NOTHING = message("There is no certificate with this code here")
LABELS = {
    "learner": message("Awarded to"),
    "course": message("Course"),
    "tenant": message("Issued by"),
    "issued": message("Issued on"),
    "completed": message("Completed on"),
    "score": message("Score"),
    "hours": message("Hours"),
    "valid": message("Valid until"),
    "revoked": message("Revoked on"),
    "code": message("Code"),
    "sha256": message("SHA-256 of the document"),
}
WORDS = {
    "title": message("Certificate verification"),
    "badge": message("Open Badge 3.0 (signed)"),
    "hint": message("Check the code and the organisation; both are printed on the certificate."),
    "successor": message("See the newer certificate"),
    "compare": message("The document you were given is genuine if its SHA-256 is the one shown here."),
}


def credential_routes(desk: Desk, reception: Reception) -> list[Route]:
    """``/verify/{code}`` and, under ``/issuers/{tenant id}``, profile, DID document, badges and status lists.

    A code says nothing of its tenant: the host does, or ``?tenant=``, which the printed address has.
    """
    template = Environment(
        loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("verify.html")

    async def verify(request: Request) -> Response:
        locale = negotiate(request.headers.get("accept-language"))
        page, status = _page(None, locale), 404
        try:
            asker = await _asker(reception, request, request.query_params.get("tenant"))
            if asker is not None and asker.tenant is not None:
                locale = asker.locale
                page = _page(None, locale)
                row = await desk.find(asker.tenant, request.path_params["code"], asker.client.ip)
                if row is not None:
                    page, status = {**_page(row, locale), **await _links(desk, asker.tenant, row)}, 200
        except Refusal as refusal:
            page = {**_page(None, locale), "headline": say(refusal, locale), "hint": None}
            status = refusal.http_status
        return Response(template.render(page), status, media_type="text/html", headers=HEADERS)

    async def profile(request: Request, tenant: Tenant, _: Asker) -> Response:
        return _json(badges.profile(desk.house(tenant)))

    async def did(request: Request, tenant: Tenant, _: Asker) -> Response:
        return _json(await desk.did_document(tenant), "application/did+json")

    async def badge(request: Request, tenant: Tenant, asker: Asker) -> Response:
        signed = await desk.badge(tenant, request.path_params["code"], asker.client.ip)
        if signed is None:
            raise HTTPException(404)
        return _jwt(signed)

    async def status_list(request: Request, tenant: Tenant, _: Asker) -> Response:
        number = request.path_params["number"]
        if number >= MOST_LISTS:
            raise HTTPException(404)
        return _jwt(await desk.status_list(tenant, number))

    def of_issuer(answer: Callable[[Request, Tenant, Asker], Any]) -> Callable[[Request], Any]:
        async def found(request: Request) -> Response:
            try:
                asker = await _asker(reception, request, request.path_params["tenant"])
                if asker is None or asker.tenant is None:
                    raise tenant_not_found()
                response: Response = await answer(request, asker.tenant, asker)
            except Refusal as refusal:
                locale = negotiate(request.headers.get("accept-language"))
                return refusal_response(refusal, locale, request_id(request.headers))
            return response

        return found

    return [
        Route("/verify/{code}", verify, methods=["GET"]),
        Route("/issuers/{tenant:uuid}", of_issuer(profile), methods=["GET"]),
        Route("/issuers/{tenant:uuid}/did.json", of_issuer(did), methods=["GET"]),
        Route("/issuers/{tenant:uuid}/badges/{code}", of_issuer(badge), methods=["GET"]),
        Route("/issuers/{tenant:uuid}/status/{number:int}", of_issuer(status_list), methods=["GET"]),
    ]


async def _asker(reception: Reception, request: Request, tenant: object) -> Asker | None:
    """Who asks, for the tenant that is named; None when there is no such tenant, or the host is another's.

    The host of CREDENTIALS_URL may look like a tenant's (a subdomain of BASE_DOMAIN) without being one.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers.pop("authorization", None)
    headers.pop("x-tenant-id", None)
    peer = request.client.host if request.client else None
    if tenant is None:
        return await _received(reception, headers, peer)
    headers["x-tenant-id"] = str(tenant)
    try:
        return await reception.receive(headers, peer)
    except (Forbidden, Invalid):
        return None
    except NotFound:
        return await _received(reception, {**headers, "host": ""}, peer)


async def _received(reception: Reception, headers: Mapping[str, str], peer: str | None) -> Asker | None:
    try:
        return await reception.receive(headers, peer)
    except (NotFound, Forbidden, Invalid):
        return None


async def _links(desk: Desk, tenant: Tenant, row: CertificateRow) -> dict[str, str | None]:
    """The badge, and the certificate that replaced this one."""
    house = desk.house(tenant)
    newer = await desk.successor_code(tenant, row.superseded_by) if row.superseded_by else None
    return {"badge": house.badge_url(row.code), "successor": house.verify_url(newer) if newer else None}


def _page(row: CertificateRow | None, locale: Locale) -> dict[str, Any]:
    """What the page shows, in the reader's language."""
    words = {name: translate(text, locale) for name, text in WORDS.items()}
    page: dict[str, Any] = {"locale": locale, "style": STYLE, "words": words, "successor": None, "badge": None}
    if row is None:
        nothing = translate(NOTHING, locale)
        return {**page, "standing": "none", "headline": nothing, "hint": words["hint"], "facts": []}
    standing = row.standing().value
    headline = translate(HEADLINES[standing], locale)
    facts = [(translate(LABELS[name], locale), value) for name, value in _lines(row, locale).items() if value]
    return {
        **page,
        "standing": standing,
        "headline": headline,
        "hint": words["compare"] if row.pdf_sha256 else None,
        "facts": facts,
    }


def _lines(row: CertificateRow, locale: Locale) -> Mapping[str, str | None]:
    facts = Facts.of(row.facts)

    def day(moment: datetime | None) -> str | None:
        zone = ZoneInfo(facts.time_zone)
        return None if moment is None else format_date(moment.astimezone(zone).date(), format="long", locale=locale)

    score = None if facts.score is None else f"{format_decimal(facts.score.normalize(), locale=locale)} %"
    hours = None if facts.hours is None else format_decimal(facts.hours.normalize(), locale=locale)
    return {
        "learner": facts.learner_name,
        "course": facts.course_title,
        "tenant": facts.tenant_name,
        "completed": day(facts.completed_at),
        "issued": day(facts.issued_at),
        "score": score,
        "hours": hours,
        "valid": day(facts.valid_until),
        "revoked": day(row.revoked_at),
        "code": printed(row.code),
        "sha256": row.pdf_sha256,
    }


# Verifiers in browsers may ask from anywhere: there is nothing here that depends on who asks.
_OPEN = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}


def _json(content: object, media_type: str = "application/json") -> Response:
    return Response(orjson.dumps(content), media_type=media_type, headers=_OPEN)


def _jwt(text: str) -> Response:
    return Response(text, media_type=badges.MEDIA_TYPE, headers=_OPEN)
