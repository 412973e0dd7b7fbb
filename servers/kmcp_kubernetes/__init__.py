"""The Kubernetes server: 22 tools and three extras over the API server, without kubectl."""
