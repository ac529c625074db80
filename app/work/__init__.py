"""Long work: jobs of many items, done in chunks by the worker, each item exactly once."""
