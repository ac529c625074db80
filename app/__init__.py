"""The business of the learning platform: knows nothing of GraphQL."""
