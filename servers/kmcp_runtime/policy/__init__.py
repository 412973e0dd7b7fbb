"""What callers may do, decided by a policy in Cedar: read, checked, asked, read again when it changes.

Does not belong here: who the caller is (`engine.auth`), the scopes of a token (`engine.grants`), and what a call turns
out to do (`judging`). The library is loaded only where a policy is configured.
"""
