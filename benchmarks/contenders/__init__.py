"""Servers to compare with: the same data and operations, written in other ways."""
