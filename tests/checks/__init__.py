"""The rules of the tree, each broken once in a copy."""
