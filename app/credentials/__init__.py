"""Certificates: who has earned one, the document and the badge that say so, and whether they still count."""
