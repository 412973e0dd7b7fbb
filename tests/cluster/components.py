"""The programs of a test cluster and their settings, as argument lists and configuration files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.images import PAUSE_IMAGE
from tests.cluster.network import Network
from tests.cluster.system import on_overlay
from tests.ports import free_ports

NODE = "kmcp-node"
FIXED_PORTS = {"etcd": 2379, "etcd-peer": 2380, "apiserver": 6443, "controller-manager": 10257, "scheduler": 10259}


def other_ports() -> dict[str, int]:
    """Free ones in place of the fixed ones, for a control plane in the network of this machine."""
    return dict(zip(FIXED_PORTS, free_ports(len(FIXED_PORTS)), strict=True))


@dataclass(frozen=True)
class Layout:
    """Where everything is: `directory` for files, `address` and `ports` for listeners."""

    directory: Path
    binaries: Mapping[str, Path]
    address: str
    network: Network
    cgroup: str = ""
    ports: Mapping[str, int] = field(default_factory=lambda: FIXED_PORTS)

    @property
    def server(self) -> str:
        return f"https://{self.address}:{self.ports['apiserver']}"

    def pki(self, file: str) -> str:
        return str(self.directory / "pki" / file)

    def log(self, component: str) -> Path:
        return self.directory / "logs" / f"{component}.log"

    def argv(self, binary: str, flags: Mapping[str, object]) -> list[str]:
        return [str(self.binaries[binary]), *(f"--{flag}={value}" for flag, value in flags.items())]


def etcd(layout: Layout) -> list[str]:
    client, peer = (f"https://127.0.0.1:{layout.ports[name]}" for name in ("etcd", "etcd-peer"))
    tls = {"cert-file": "etcd.crt", "key-file": "etcd.key", "trusted-ca-file": "ca.crt"}
    flags: dict[str, object] = {
        "name": "etcd",
        "data-dir": layout.directory / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"etcd={peer}",
        # Nobody wants the data back after a crash, and waiting for the disk is most of what a write takes.
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }
    for prefix in ("", "peer-"):
        flags |= {f"{prefix}{flag}": layout.pki(file) for flag, file in tls.items()}
        flags[f"{prefix}client-cert-auth"] = "true"
    return layout.argv("etcd", flags)


def apiserver(layout: Layout, pods: bool) -> list[str]:
    flags: dict[str, object] = {
        "etcd-servers": f"https://127.0.0.1:{layout.ports['etcd']}",
        "etcd-cafile": layout.pki("ca.crt"),
        "etcd-certfile": layout.pki("etcd.crt"),
        "etcd-keyfile": layout.pki("etcd.key"),
        "secure-port": layout.ports["apiserver"],
        "bind-address": "0.0.0.0" if pods else layout.address,
        "advertise-address": layout.address,
        "tls-cert-file": layout.pki("apiserver.crt"),
        "tls-private-key-file": layout.pki("apiserver.key"),
        "client-ca-file": layout.pki("ca.crt"),
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": layout.pki("serviceaccount.pub"),
        "service-account-signing-key-file": layout.pki("serviceaccount.key"),
        "service-cluster-ip-range": layout.network.services,
        # Without RBAC the tests of permissions would prove nothing.
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "kubelet-client-certificate": layout.pki("apiserver-kubelet.crt"),
        "kubelet-client-key": layout.pki("apiserver-kubelet.key"),
        "kubelet-certificate-authority": layout.pki("ca.crt"),
        # The node's name resolves nowhere, so exec and logs must go to its address.
        "kubelet-preferred-address-types": "InternalIP,Hostname",
        # The agent of Cilium runs as such a pod.
        "allow-privileged": "true",
    }
    if not pods:
        # The endpoints of the kubernetes Service may not be loopback addresses; nobody would use them anyway.
        flags["endpoint-reconciler-type"] = "none"
    return layout.argv("kube-apiserver", flags)


def controller_manager(layout: Layout) -> list[str]:
    return layout.argv(
        "kube-controller-manager",
        {
            "kubeconfig": layout.pki("controller-manager.kubeconfig"),
            "bind-address": "127.0.0.1",
            "secure-port": layout.ports["controller-manager"],
            "service-account-private-key-file": layout.pki("serviceaccount.key"),
            "root-ca-file": layout.pki("ca.crt"),
            "cluster-signing-cert-file": layout.pki("ca.crt"),
            "cluster-signing-key-file": layout.pki("ca.key"),
            # Controllers with their own rights, as clusters run them: a test sees who wrote what.
            "use-service-account-credentials": "true",
            "cluster-cidr": layout.network.pods,
            "service-cluster-ip-range": layout.network.services,
            "allocate-node-cidrs": "true",
            # There is only one, and an election takes seconds at every start.
            "leader-elect": "false",
            # The default lies below /usr/libexec, which is not ours.
            "flex-volume-plugin-dir": layout.directory / "flexvolume",
        },
    )


def scheduler(layout: Layout) -> list[str]:
    return layout.argv(
        "kube-scheduler",
        {
            "kubeconfig": layout.pki("scheduler.kubeconfig"),
            "bind-address": "127.0.0.1",
            "secure-port": layout.ports["scheduler"],
            "leader-elect": "false",
        },
    )


def containerd(layout: Layout) -> list[str]:
    # An overlay cannot lie on an overlay, as the root of a container is.
    snapshotter = "native" if on_overlay(layout.directory) else "overlayfs"
    root = layout.directory / "containerd"
    # The disabled plugins write to /opt and /var/run/nri. With restrict_oom_score_adj, sandboxes start where this
    # process may not lower its own score. The pause image is pinned: collected, it could not be had again.
    config = f'''version = 3
root = "{root}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "{snapshotter}"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{PAUSE_IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{layout.binaries["bridge"].parent}"]
    conf_dir = "{layout.directory / "cni"}"
'''
    (layout.directory / "containerd.toml").write_text(config)
    _write_cni(layout)
    return layout.argv("containerd", {"config": layout.directory / "containerd.toml"})


def kubelet(layout: Layout) -> list[str]:
    resolver = layout.directory / "resolv.conf"
    # The machine's own resolver may listen on its loopback, which is not that of a pod.
    resolver.write_text(f"nameserver {layout.network.dns}\n")
    flags = {
        "config": _write(layout.directory / "kubelet.yaml", _kubelet_configuration(layout, resolver)),
        "kubeconfig": layout.pki("kubelet.kubeconfig"),
        "hostname-override": NODE,
        "node-ip": layout.address,
        "root-dir": layout.directory / "kubelet",
    }
    return layout.argv("kubelet", flags)


def _kubelet_configuration(layout: Layout, resolver: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # Machines with control groups of version 1 are still about; newer kubelets refuse them by default.
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "cgroupsPerQOS": True,
        # To enforce is to limit the root group, in which the rest of the machine runs.
        "enforceNodeAllocatable": [],
        # A laptop has swap, and switching it off is not for a test.
        "failSwapOn": False,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": layout.pki("ca.crt")},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "tlsCertFile": layout.pki("node.crt"),
        "tlsPrivateKeyFile": layout.pki("node.key"),
        "clusterDNS": [layout.network.dns],
        "clusterDomain": "cluster.local",
        "resolvConf": str(resolver),
        # A disk that is nearly full, as many are, must not evict the pods of tests.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Images come from this machine, not from a registry: what is collected is gone.
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
        "volumePluginDir": str(layout.directory / "flexvolume"),
    }


def kube_proxy(layout: Layout) -> list[str]:
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": layout.pki("proxy.kubeconfig")},
        "hostnameOverride": NODE,
        "clusterCIDR": str(layout.network.pods),
        # Zero leaves the machine's table of connections at its size.
        "conntrack": {"maxPerCore": 0},
        # Without br_netfilter, answers between two pods of the bridge pass by the translation of Service addresses.
        "nftables": {"masqueradeAll": not Path("/proc/sys/net/bridge").exists()},
    }
    return layout.argv("kube-proxy", {"config": _write(layout.directory / "kube-proxy.yaml", config)})


def _write_cni(layout: Layout) -> None:
    directory = layout.directory / "cni"
    directory.mkdir()
    bridge = {
        "type": "bridge",
        "bridge": "kmcp0",
        "isGateway": True,
        # This machine has a route to the pods, and tests want to see who called.
        "ipMasq": False,
        # A pod may reach itself through its own Service.
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": str(layout.network.node_pods)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    port_mapping = {"type": "portmap", "capabilities": {"portMappings": True}}
    configuration = {"cniVersion": "1.0.0", "name": "kmcp", "plugins": [bridge, port_mapping]}
    (directory / "10-bridge.conflist").write_text(json.dumps(configuration))


def _write(path: Path, config: Mapping[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False))
    return path
