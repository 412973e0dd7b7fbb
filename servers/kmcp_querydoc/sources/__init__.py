"""Where documentation comes from: folders, git repositories, Go modules, sitemaps, and the suite itself."""
