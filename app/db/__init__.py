"""Connections, the tenant transaction, base tables, paging and migrations."""
