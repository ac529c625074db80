"""Tenants: their records, their resolution, their life cycle."""
