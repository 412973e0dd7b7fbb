"""The account that a call gives of itself while it goes on."""

from dataclasses import dataclass

from kmcp_runtime.audit.record import Begun, Entry
from kmcp_runtime.audit.trail import Trail
from kmcp_runtime.engine import audit
from kmcp_runtime.errors import unavailable


@dataclass
class Account:
    """Its entry, and where it goes."""

    entry: Entry
    trail: Trail
    begun: bool = False

    def begin(self) -> None:
        """Under KMCP_AUDIT=required: have a line on the disk before the call changes something, once for each call.

        Errors: `unavailable` where it cannot be written; nothing was changed then. It may wait for the disk.
        """
        if self.begun or not self.trail.required:
            return
        audit.complete(self.entry)
        self.trail.write(Begun(entry=self.entry))
        self.trail.sync()
        if faults := self.trail.unwritten():
            told = ", ".join(f"{name}: {fault}" for name, fault in faults.items())
            raise unavailable(
                f"the audit cannot be written ({told}), and without it this server changes nothing",
                "reads go on; whoever runs the server has to make room for the audit (KMCP_AUDIT=required)",
            )
        self.begun = True
