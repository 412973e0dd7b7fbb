"""The index: one SQLite file, written by a build, sealed, and only read by servers."""
