"""Who may speak with whom, by the NetworkPolicies, and who does, by the settings."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.deploy.kubernetes.manifests import Manifest, of_kind, selected, workloads

OUTSIDE: Final = "outside"
MONITORING: Final = "monitoring"
POSTGRESQL: Final = 5432


class Connection(NamedTuple):
    """One workload, or what is not one, may open TCP connections to another."""

    source: str
    target: str
    port: int


def policies() -> list[Manifest]:
    """Return what each policy says."""
    return [policy["spec"] for policy in of_kind("NetworkPolicy").values()]


def peers(rule: Manifest, key: str) -> Iterator[str]:
    """Yield whom a rule names; nobody named is anybody."""
    for peer in rule.get(key, [{}]):
        if "podSelector" in peer and "namespaceSelector" not in peer:
            yield from selected(peer["podSelector"]["matchLabels"])
        elif "namespaceSelector" in peer:
            yield peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        else:
            yield OUTSIDE


def tcp_ports(rule: Manifest) -> set[int]:
    """Return the TCP ports of a rule."""
    return {port["port"] for port in rule["ports"] if port["protocol"] == "TCP"}


def allowed(direction: str) -> set[Connection]:
    """Return the connections that the policies let ``ingress`` or ``egress`` have."""
    key = {"ingress": "from", "egress": "to"}[direction]
    found = set()
    for policy in policies():
        for rule in policy.get(direction, ()):
            for own in selected(policy["podSelector"]["matchLabels"]):
                for peer in peers(rule, key):
                    ends = (peer, own) if direction == "ingress" else (own, peer)
                    found |= {Connection(*ends, port) for port in tcp_ports(rule)}
    return {connection for connection in found if connection.port != 53}


def needed() -> set[Connection]:
    """Return the connections that the commands open, and those opened to them."""
    services = of_kind("Service")
    found = set()
    for name, workload in workloads().items():
        for service in services:
            if workload.environment.get("HAR_BROKER") == service:
                port = services[service]["spec"]["ports"][0]["port"]
                found.add(Connection(name, service, port))
        if "HAR_DATABASE_FILE" in workload.environment:
            found.add(Connection(name, OUTSIDE, POSTGRESQL))
        for port_name, port in workload.ports.items():
            source = MONITORING if port_name == "metrics" else OUTSIDE
            found.add(Connection(source, name, port))
    return found


def is_within(connection: Connection, end: str) -> bool:
    """Tell whether a connection's source or target is a workload."""
    return getattr(connection, end) in workloads()


def test_each_pod_is_cut_off_first() -> None:
    """One policy forbids all pods everything but to ask for names."""
    (policy,) = (
        policy
        for policy in policies()
        if selected(policy["podSelector"]["matchLabels"]) == set(workloads())
    )
    assert ["Ingress", "Egress"] == policy["policyTypes"]
    assert "ingress" not in policy
    assert [{53}] == [tcp_ports(rule) for rule in policy["egress"]]


def test_what_the_commands_open_may_be_opened_and_nothing_else() -> None:
    """Outgoing connections are those of the settings, at both of their ends."""
    opened = {connection for connection in needed() if is_within(connection, "source")}
    assert opened == allowed("egress")


def test_what_may_come_in_is_what_is_listened_for() -> None:
    """Incoming connections are those to the ports of the containers.

    Who speaks to the broker from within comes in with everybody.
    """
    coming = {connection for connection in needed() if is_within(connection, "target")}
    anybody = {connection for connection in coming if connection.source == OUTSIDE}
    open_ports = {(connection.target, connection.port) for connection in anybody}
    others = {
        connection
        for connection in coming
        if (connection.target, connection.port) not in open_ports
    }
    assert anybody | others == allowed("ingress")


def test_a_policy_says_what_it_is_about() -> None:
    """Each names the directions that it rules."""
    for policy in policies():
        ruled = {direction for direction in ("ingress", "egress") if direction in policy}
        assert ruled <= {direction.lower() for direction in policy["policyTypes"]}
