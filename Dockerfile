# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Dependencies first: they change less often than the code.
COPY pyproject.toml constraints.txt README.md ./
RUN mkdir app schema && touch app/__init__.py schema/__init__.py \
    && pip install --constraint constraints.txt .
COPY app app
COPY schema schema
RUN python -m compileall -q app schema

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home stegmaier
COPY --from=build /venv /venv
WORKDIR /srv
COPY --from=build /build/app app
COPY --from=build /build/schema schema
COPY alembic alembic
COPY tenant_migrations tenant_migrations
ENV PATH=/venv/bin:$PATH PYTHONPATH=/srv PYTHONUNBUFFERED=1 ENV=production HOST=0.0.0.0 PORT=8000 LOG_FORMAT=json
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health\", timeout=2)"]
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]
