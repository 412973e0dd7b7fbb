"""Every tool against backends that answer with hostile content, called with whatever its schema allows."""
