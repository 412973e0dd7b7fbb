"""The conformance suite of the protocol, run on this project's own factory: `make conformance`."""
