"""``python -m app settings``: every variable with its default and meaning, for people and for the documents."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import SecretStr

from app.commands.console import grid, out
from app.settings import Settings

SECTIONS = {
    "Server": "env host port base_domain public_url allowed_hosts cors_origins data_dir log_level log_format "
    "trust_proxy_headers",
    "Database": "database_url database_runtime_password database_role_prefix database_pool_size database_pool_slots "
    "database_pool_active database_control_pool_size database_pool_timeout database_statement_timeout "
    "database_tenants_per_connection database_prepared_statements",
    "Identity": "jwt_secret jwt_previous_secrets jwt_issuer access_token_minutes refresh_token_days session_days "
    "retention_days require_verified_email login_attempts argon2_memory_kib argon2_time_cost argon2_concurrency",
    "Cache": "redis_url response_cache response_cache_seconds response_cache_megabytes",
    "Certificates and files": "credentials_url credentials_secret credentials_previous_secrets s3_bucket "
    "s3_endpoint_url s3_public_endpoint_url s3_region s3_access_key_id s3_secret_access_key s3_timeout",
    "Mail": "smtp_host smtp_port smtp_username smtp_password smtp_tls smtp_sender smtp_timeout",
    "GraphQL and jobs": "graphql_introspection compiled_execution operation_timeout inline_worker",
}


def rows() -> list[tuple[str, str, str, str]]:
    """(section, variable, default, meaning) of every setting. Raises KeyError for one that no section has."""
    section_of = {name: section for section, names in SECTIONS.items() for name in names.split()}
    return [
        (section_of[name], name.upper(), _shown(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def env_example() -> str:
    """The content of ``.env.example``."""
    lines = ["# Every setting, with its default. Copy to .env and uncomment what you change.\n"]
    for section in SECTIONS:
        lines.append(f"# --- {section}")
        lines += [
            f"# {meaning}\n#{variable}={default}\n" for where, variable, default, meaning in rows() if where == section
        ]
    return "\n".join(lines).rstrip() + "\n"


def markdown() -> str:
    """The content of ``docs/configuration.md``."""
    lines = ["# Configuration", "", "Written by `python -m app settings --markdown`; a test compares.", ""]
    for section in SECTIONS:
        lines += [f"## {section}", "", "| variable | default | meaning |", "|---|---|---|"]
        lines += [
            f"| `{variable}` | {f'`{default}`' if default else ''} | {meaning} |"
            for where, variable, default, meaning in rows()
            if where == section
        ]
        lines.append("")
    return "\n".join(lines)


def settings(
    markdown_: Annotated[bool, typer.Option("--markdown", help="As the document.")] = False,
    env: Annotated[bool, typer.Option("--env", help="As .env.example.")] = False,
) -> None:
    """Every setting with its default and meaning."""
    if markdown_ or env:
        typer.echo(markdown() if markdown_ else env_example(), nl=False)
    else:
        out.print(grid("Settings", ("section", "variable", "default", "meaning"), rows()))


def _shown(default: object) -> str:
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, list):
        return "[" + ", ".join(f'"{item}"' for item in default) + "]"
    return str(default)
