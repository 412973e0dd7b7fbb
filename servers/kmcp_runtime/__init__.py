"""What every tool server of the suite shares; it knows no server.

A server declares its tools (`tool`) and itself (`server.Server`); everything between the transport and a tool's body
(arguments, policy, approval, deadline, audit, metrics, redaction, bounding, rendering) happens here, once.
"""
