"""As whom a server calls the API server: nothing that one identity may read reaches another."""
