"""An HTTP API that the configuration names: its address and credentials, and what its failures mean.

    Upstream
     ├─ access      address (a path prefix is kept), credentials, further headers, TLS, deadline, and where each is set
     ├─ send        one request; an answer below 300, anything else is a failure
     └─ read        the same, its JSON parsed

It never follows a redirect, reads at most so many bytes (counted after decompression) and shows its address without
userinfo and query. Every failure is `unavailable`, `forbidden`, `timed_out`, … with the address, the status, the API's
own words and what to set; a server tells its API's errors better with `explain`.
"""

from kmcp_runtime.upstream.access import Access, SetIn
from kmcp_runtime.upstream.client import Upstream
from kmcp_runtime.upstream.failures import Refused
from kmcp_runtime.web import Answer

__all__ = ["Access", "Answer", "Refused", "SetIn", "Upstream"]
