# First process of the agent's pod: what the agent needs around it, private to this container, then the agent itself.
set -eu

# The agent writes these for the whole machine; it finds files of ours and leaves the machine's alone.
mkdir -p /run/shield
for name in timer_migration unprivileged_bpf_disabled; do
  cat /proc/sys/kernel/$name > /run/shield/$name
  mount --bind /run/shield/$name /proc/sys/kernel/$name
done
mount -t bpf bpf /sys/fs/bpf

# Below the test cluster's own group, which goes with the cluster.
mkdir -p /run/cgroup2
mount -t cgroup2 none /run/cgroup2
cluster=$(sed -n 's,^[0-9]*:[^:]*:/\([^/]*\)/kubepods.*,\1,p' /proc/self/cgroup | head -n 1)
mkdir -p "/run/cgroup2/$cluster/cilium"

mkdir -p /var/lib/cilium /srv
echo welcome > /srv/start
cp -r /opt/bpf /var/lib/cilium/bpf
ip link add cil0 type veth peer name cil1
ip address add 192.0.2.1/24 dev cil0
ip link set cil0 up
ip link set cil1 up

# The agent answers other nodes' health probes at the node's address, which a pod without the node's network does not
# have. When it cannot bind that address it shuts its health server down (pkg/health/server Serve): for good where the
# server was up already, without effect where it was not, so that health.sock stayed away in some runs only.
echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind

exec cilium-agent --config-dir=/opt/configuration --cgroup-root="/run/cgroup2/$cluster/cilium"
