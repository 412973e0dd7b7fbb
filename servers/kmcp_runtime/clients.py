"""What is known of clients by the names that they give themselves. A name is a claim: nothing is allowed by it."""

PAYING_TWICE = frozenset({"google-adk"})
"""They hand their model the schemas of answers, and each answer as text and as data. google-adk does from 2.13 on."""
