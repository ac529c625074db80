"""Where an error makes the stock executor give up early it drops coroutines; no other test shall hear of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.execution.compare import forget_dropped


@pytest.fixture(autouse=True, scope="module")
def _forget() -> Iterator[None]:
    yield
    forget_dropped()
