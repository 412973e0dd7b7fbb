"""The catalog page in a browser: Chromium of this machine, driven by Playwright; skipped, with the reason, without one.

`python -m tests.browser` makes the pictures of the documentation anew.
"""
