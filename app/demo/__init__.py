"""The demo tenants that ``make serve`` shows."""
