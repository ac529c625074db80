"""What a run measures, and the empty PostgreSQL it starts from."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.db.embedded import EmbeddedPostgres
from app.settings import Settings
from benchmarks.data import SECRET, Size
from benchmarks.operations import NAMES
from benchmarks.servers import KNOWN, Where

# What differs from the defaults: no jobs inside the measured process, no line per request (no contender writes one),
# a name for the tenants' hosts, and no caching of answers, which --cache measures by itself.
ENVIRONMENT = {
    "ENV": "test",
    "INLINE_WORKER": "false",
    "LOG_LEVEL": "warning",
    "BASE_DOMAIN": "bench.example",
    "RESPONSE_CACHE": "false",
}
ANSWERS = 6  # that a connection should get in a window: of fewer, those still on their way would be too large a part
LONGEST = 5  # times the wanted window, at most
POSTGRES = {"shared_buffers": "512MB", "max_connections": "200", "jit": "off"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. ``environment`` are more settings of this platform; ``client`` is ``wrk`` or ``python``."""

    client: str
    servers: tuple[str, ...] = KNOWN
    operations: tuple[str, ...] = NAMES
    size: Size = field(default_factory=Size)
    rounds: int = 3
    seconds: float = 4
    connections: int = 32
    cache: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def window(self, rps: float) -> float:
        """Seconds to measure a server that answers about ``rps`` requests a second."""
        enough = ANSWERS * self.connections / max(rps, 0.001)
        return min(max(self.seconds, enough), LONGEST * self.seconds)


@contextmanager
def database(plan: Plan) -> Iterator[Where]:
    """A PostgreSQL of its own in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="stegmaier-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        cluster = EmbeddedPostgres(folder / "postgres", settings=POSTGRES)
        dsn = cluster.start()
        try:
            yield Where(dsn, folder, {**ENVIRONMENT, "DATA_DIR": str(folder / "data"), **plan.environment})
        finally:
            cluster.stop()


def settings_of(where: Where) -> Settings:
    """The application's settings in this run, for making tenants."""
    values = {name.lower(): value for name, value in where.environment.items()}
    return Settings(_env_file=None, jwt_secret=SECRET, **values)  # type: ignore[arg-type]
