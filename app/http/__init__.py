"""Starlette lives here: tenant resolution, who is asking, health, and the GraphiQL page."""
