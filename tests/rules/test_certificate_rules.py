"""The pure rules of certificates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.credentials.codes import ALPHABET, LENGTH, new_code, printed, read_code
from app.credentials.facts import Facts, Signatory
from app.credentials.rules import (
    Case,
    Reason,
    ScorePolicy,
    Standing,
    Verdict,
    basis,
    months_later,
    on_new_score,
    reasons,
    standing,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SIXTY = Decimal(60)


def case(**changes: object) -> Case:
    facts: dict[str, object] = {
        "is_enrolled": True, "is_completed": True, "is_enabled": True, "is_allowed": False, "is_invalidated": False,
        **changes,
    }  # fmt: skip
    return Case(**facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"is_completed": False}, [Reason.NOT_COMPLETED]),
        ({"is_completed": False, "is_allowed": True}, []),
        ({"is_completed": False, "is_allowed": True, "is_invalidated": True}, [Reason.INVALIDATED]),
        ({"score": Decimal("59.99"), "min_score": SIXTY}, [Reason.SCORE_TOO_LOW]),
        ({"score": SIXTY, "min_score": SIXTY}, []),
        ({"score": None, "min_score": SIXTY}, []),
        ({"score": Decimal(1), "min_score": SIXTY, "is_allowed": True}, []),
        ({"is_revoked": True}, [Reason.REVOKED]),
        ({"is_enrolled": False, "is_allowed": True}, [Reason.NOT_ENROLLED]),
        (
            {"is_invalidated": True, "is_enrolled": False, "is_enabled": False, "is_completed": False},
            [Reason.INVALIDATED, Reason.NOT_ENROLLED, Reason.CERTIFICATES_OFF, Reason.NOT_COMPLETED],
        ),
    ],
)
def test_k_reasons_come_in_the_order_of_their_weight(changes: dict[str, object], expected: list[Reason]) -> None:
    assert reasons(case(**changes)) == expected


def test_k_the_invalidation_list_blocks_whatever_else_is_true() -> None:
    for values in product((False, True), repeat=5):
        names = ("is_enrolled", "is_completed", "is_enabled", "is_allowed", "is_revoked")
        assert reasons(case(is_invalidated=True, **dict(zip(names, values, strict=True))))[0] is Reason.INVALIDATED


def test_k5_the_basis_says_on_what_a_certificate_rests() -> None:
    assert basis(case()) == "completion"
    assert basis(case(score=Decimal(70))) == "score"
    assert basis(case(score=Decimal(50), min_score=SIXTY, is_allowed=True)) == "exception"
    assert basis(case(is_completed=False, is_allowed=True)) == "exception"


def test_k4_only_a_fall_below_the_mark_changes_anything() -> None:
    fallen, fine = Decimal("59.99"), SIXTY
    table = {
        (policy, score, allowed, flagged): on_new_score(policy, score, SIXTY, is_allowed=allowed, is_flagged=flagged)
        for policy, score, allowed, flagged in product(ScorePolicy, (fallen, fine), (False, True), (False, True))
    }
    assert {key for key, verdict in table.items() if verdict is Verdict.REVOKE} == {
        (ScorePolicy.REVOKE, fallen, False, flagged) for flagged in (False, True)
    }
    assert {key for key, verdict in table.items() if verdict is Verdict.FLAG} == {
        (ScorePolicy.FLAG, fallen, False, False)
    }
    unflagged = {key for key, verdict in table.items() if verdict is Verdict.UNFLAG}
    assert unflagged == {(policy, fine, allowed, True) for policy in ScorePolicy for allowed in (False, True)}
    assert on_new_score(ScorePolicy.REVOKE, fallen, None, is_allowed=False, is_flagged=False) is Verdict.NOTHING


def test_k6_standing_follows_the_clock_and_never_a_stored_expiry() -> None:
    end = NOW + timedelta(days=1)
    assert standing("issued", None, 0, NOW) is Standing.VALID
    assert standing("issued", end, 7, NOW) is Standing.VALID
    assert standing("issued", end, 7, end) is Standing.GRACE
    assert standing("issued", end, 0, end) is Standing.EXPIRED
    assert standing("issued", end, 7, end + timedelta(days=7)) is Standing.EXPIRED
    assert standing("revoked", end, 7, end + timedelta(days=99)) is Standing.REVOKED
    assert standing("superseded", None, 0, NOW) is Standing.SUPERSEDED


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        ((2026, 1, 31), 1, (2026, 2, 28)), ((2027, 12, 31), 2, (2028, 2, 29)), ((2026, 11, 24), 24, (2028, 11, 24)),
        ((2026, 12, 15), 1, (2027, 1, 15)), ((2028, 2, 29), 12, (2029, 2, 28)),
    ],
)  # fmt: skip
def test_k6_a_term_of_months_ends_on_the_same_day(
    start: tuple[int, int, int], months: int, expected: tuple[int, int, int]
) -> None:
    begun, ended = (datetime(year, month, day, 9, 30, tzinfo=UTC) for year, month, day in (start, expected))
    assert months_later(begun, months) == ended


def test_k2_codes_are_random_of_140_bits_and_read_however_they_are_typed() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert LENGTH * 5 >= 128
    for code in codes:
        assert read_code(printed(code).lower()) == read_code(f" {code} ") == code
    assert len({character for code in codes for character in code}) == len(ALPHABET)


@given(st.text(max_size=200))
def test_k2_whatever_is_typed_is_a_code_or_none(text: str) -> None:
    found = read_code(text)
    assert found is None or (len(found) == LENGTH and set(found) <= set(ALPHABET))


def test_k3_facts_are_read_as_they_were_written() -> None:
    facts = Facts(
        code="0" * 28, verify_url="https://x.test/verify/0", tenant_name="Ñ", locale="es", time_zone="UTC",
        learner_name="José", recipient="f" * 64, course_title="Á", course_description="", course_revision=2,
        basis="score", score=Decimal("92.50"), hours=None, completed_at=NOW, issued_at=NOW, valid_until=None,
        template_version=3, title="", body="", signatories=(Signatory("A", "B"),), primary_color="#000000",
        accent_color="#ffffff", logo_text="",
    )  # fmt: skip
    assert Facts.of(facts.as_json()) == facts
