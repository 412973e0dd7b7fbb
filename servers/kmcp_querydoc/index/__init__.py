"""The index: one SQLite file, written by a build, sealed, and only read by servers.

Belongs here: tables, statements, the checksum, and how words are stemmed. Does not belong here: where pages come from
(`sources`), how they are cut (`parsing`), and what a question means (`search`)."""
