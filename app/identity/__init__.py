"""People: accounts, sessions, passwords and memberships."""
