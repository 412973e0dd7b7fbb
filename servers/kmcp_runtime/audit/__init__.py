"""Who did what, told so that it can be checked afterwards: records, the chain of their lines, where they go.

    record         what a line says: a typed class for each kind of event
    chain          lines that name the hash of the line before
    trail          what the process writes to; it fails no call, but under KMCP_AUDIT=required a change does not begin
    audit_file, stream, otlp   places that lines go to
    refusals       requests that were turned away, with their reason; floods are counted
    verification   what `kmcp-suite audit verify` looks for

Does not belong here: what of a call is told (`engine/audit.py`), and what a secret is (`redaction`). Nothing here loads
a framework: the command runs where no server does.
"""
