"""How fast the platform is, next to what people could run instead; ``python -m benchmarks --help``."""
