"""Where documentation comes from: folders, git repositories, Go modules, sitemaps, and the suite itself.

Belongs here: finding and fetching pages as they are. Does not belong here: reading their formats (`parsing`), except
for the files that they include and the help of Go commands, which become pages here."""
