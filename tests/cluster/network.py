"""The network of a test cluster: a namespace of its own, joined to this machine by one veth pair.

Cluster number n (0 to 63) has the interface `kmcp-<n>`, the link 10.255.0.4n/30 (this machine .1, the node .2), pods in
10.244.4n.0/22 and Services in 10.96.4n.0/22, all routed from this machine; so two clusters never clash.
"""

import ipaddress
import json
import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

CLUSTERS = 64
BLOCK = 22


class NetworkTaken(Exception):
    """No block of addresses is free."""


@dataclass(frozen=True)
class Network:
    number: int = 0

    @property
    def interface(self) -> str:
        return f"kmcp-{self.number}"

    @property
    def link(self) -> IPv4Network:
        return IPv4Network((int(IPv4Address("10.255.0.0")) + 4 * self.number, 30))

    @property
    def host(self) -> str:
        return str(self.link[1])

    @property
    def node(self) -> str:
        return str(self.link[2])

    @property
    def pods(self) -> IPv4Network:
        return IPv4Network(f"10.244.{4 * self.number}.0/{BLOCK}")

    @property
    def node_pods(self) -> IPv4Network:
        """The part of the pod addresses that the node hands out: what it gets as its `podCIDR`."""
        return next(self.pods.subnets(new_prefix=24))

    @property
    def services(self) -> IPv4Network:
        return IPv4Network(f"10.96.{4 * self.number}.0/{BLOCK}")

    @property
    def kubernetes(self) -> str:
        return str(self.services[1])

    @property
    def dns(self) -> str:
        return str(self.services[10])


def attach(pid: int) -> Network:
    """Join the network namespace of process `pid` to this machine, with the first free block."""
    taken = _routes()
    for number in range(CLUSTERS):
        network = Network(number)
        blocks = (network.link, network.pods, network.services)
        if not any(block.overlaps(route) for block in blocks for route in taken) and _claim(network, pid):
            _configure(network, pid)
            return network
    raise NetworkTaken(f"no free block among {CLUSTERS}: 10.255.0.0/24, 10.244.0.0/16, 10.96.0.0/16")


def detach(network: Network) -> None:
    if Path("/sys/class/net", network.interface).exists():
        _ip("link", "delete", network.interface)


def _claim(network: Network, pid: int) -> bool:
    """Make the veth pair; the kernel refuses a name that exists, which settles races between clusters."""
    command = ["ip", "link", "add", network.interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "File exists" not in done.stderr:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.returncode == 0


def _configure(network: Network, pid: int) -> None:
    prefix = network.link.prefixlen
    inside = ["nsenter", f"--net=/proc/{pid}/ns/net", "--", "ip"]
    for arguments in (
        ["link", "set", "lo", "up"],
        ["address", "add", f"{network.node}/{prefix}", "dev", "eth0"],
        ["link", "set", "eth0", "up"],
    ):
        subprocess.run([*inside, *arguments], check=True, capture_output=True)
    _ip("address", "add", f"{network.host}/{prefix}", "dev", network.interface)
    _ip("link", "set", network.interface, "up")
    # Clients of this machine reach pods and Services as a client in the cluster does.
    for block in (network.pods, network.services):
        _ip("route", "add", str(block), "via", network.node)


def _routes() -> list[IPv4Network]:
    """Routes of this machine that ours would clash with; wider ones stay in force around ours."""
    text = subprocess.run(
        ["ip", "-4", "-j", "route", "show", "table", "all"], check=True, capture_output=True, text=True
    ).stdout
    destinations = [route["dst"] for route in json.loads(text or "[]") if route["dst"] != "default"]
    routes = [ipaddress.IPv4Network(destination, strict=False) for destination in destinations]
    # The longer prefix wins, so a route of a VPN to all of 10.0.0.0/8 does no harm.
    return [route for route in routes if route.prefixlen >= BLOCK]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
