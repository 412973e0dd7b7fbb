"""The server `{{name}}`."""
