"""A project of a server: its names, its files, and the templates that they are made of. No process is started here."""
