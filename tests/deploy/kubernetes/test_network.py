"""Who may speak with whom, by the NetworkPolicies, and who does, by the settings."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.deploy.kubernetes.manifests import Manifest, of_kind, of_spark, selected, workloads

OUTSIDE: Final = "outside"
MONITORING: Final = "monitoring"
KAFKA: Final = "kafka"
NAMES_PORT: Final = 53
POSTGRESQL_PORT: Final = 5432
KUBERNETES_PORTS: Final = (443, 6443)
"""Where Kubernetes may be asked"""


class Connection(NamedTuple):
    """One workload, or what is not one, may open TCP connections to another."""

    source: str
    target: str
    port: int


def policies() -> list[Manifest]:
    """Return what each policy says."""
    return [policy["spec"] for policy in of_kind("NetworkPolicy").values()]


def kafka_labels() -> dict[str, str]:
    """Return the labels that Strimzi gives to the pods of Kafka."""
    (cluster,) = of_kind("Kafka")
    return {"strimzi.io/cluster": cluster, "strimzi.io/name": f"{cluster}-kafka"}


def peers(rule: Manifest, key: str) -> Iterator[str]:
    """Yield whom a rule names; nobody named is anybody."""
    for peer in rule.get(key, [{}]):
        if "namespaceSelector" in peer:
            yield peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        elif "podSelector" in peer:
            labels = peer["podSelector"]["matchLabels"]
            yield from [KAFKA] if labels == kafka_labels() else selected(labels)
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
    return {connection for connection in found if connection.port != NAMES_PORT}


def kafka_port(address: str) -> int:
    """Return the port of an address, which has to be that of Kafka's bootstrap Service."""
    (cluster,) = of_kind("Kafka")
    host, port = address.split(":")
    assert f"{cluster}-kafka-bootstrap" == host
    (listener,) = of_kind("Kafka")[cluster]["spec"]["kafka"]["listeners"]
    assert listener["port"] == int(port)
    return int(port)


def opened() -> set[Connection]:
    """Return the connections that the workloads open, by their settings."""
    found = set()
    (application,) = of_kind("SparkApplication").values()
    for name, workload in workloads().items():
        broker = workload.environment.get("HAR_BROKER")
        if broker is not None:
            port = of_kind("Service")[broker]["spec"]["ports"][0]["port"]
            found.add(Connection(name, broker, port))
        if "HAR_DATABASE_FILE" in workload.environment:
            found.add(Connection(name, OUTSIDE, POSTGRESQL_PORT))
        is_sparks = name in of_spark()
        told = application["spec"]["arguments"] if is_sparks else workload.container.get("args", ())
        for argument in told:
            if argument.startswith("--kafka="):
                found.add(Connection(name, KAFKA, kafka_port(argument.removeprefix("--kafka="))))
    driver, executor = of_spark().values()
    for source in (driver, executor):
        found.add(Connection(source.name, executor.name, executor.ports["blocks"]))
    for port in ("driver", "blocks"):
        found.add(Connection(executor.name, driver.name, driver.ports[port]))
    return found | {Connection(driver.name, OUTSIDE, port) for port in KUBERNETES_PORTS}


def listened_for() -> set[Connection]:
    """Return the connections from elsewhere that the workloads are there for, by their ports."""
    return {
        Connection(MONITORING if port_name == "metrics" else OUTSIDE, name, port)
        for name, workload in workloads().items()
        for port_name, port in workload.ports.items()
        if port_name == "metrics" or name not in of_spark()
    }


def test_each_pod_is_cut_off_first() -> None:
    """One policy forbids all pods everything but to ask for names."""
    (policy,) = (
        policy
        for policy in policies()
        if selected(policy["podSelector"]["matchLabels"]) == set(workloads())
    )
    assert ["Ingress", "Egress"] == policy["policyTypes"]
    assert "ingress" not in policy
    assert [{NAMES_PORT}] == [tcp_ports(rule) for rule in policy["egress"]]


def test_what_is_opened_may_be_opened_and_nothing_else() -> None:
    """Outgoing connections are those that the settings of the workloads name."""
    assert opened() == allowed("egress")


def test_what_comes_in_is_expected_and_nothing_else() -> None:
    """Incoming connections are those to the ports, from elsewhere or from another workload.

    Where anybody may come in, those from within come in with all others.
    """
    within = {connection for connection in opened() if connection.target in workloads()}
    for_anybody = {
        (connection.target, connection.port)
        for connection in listened_for()
        if connection.source == OUTSIDE
    }
    others = {
        connection
        for connection in within
        if (connection.target, connection.port) not in for_anybody
    }
    assert listened_for() | others == allowed("ingress")


def test_kafka_lets_in_who_speaks_to_it() -> None:
    """The listener's own policy names the workloads that open connections to Kafka."""
    (listener,) = of_kind("Kafka")["har"]["spec"]["kafka"]["listeners"]
    let_in = {
        name
        for peer in listener["networkPolicyPeers"]
        for name in selected(peer["podSelector"]["matchLabels"])
    }
    assert {connection.source for connection in opened() if connection.target == KAFKA} == let_in


def test_a_policy_says_what_it_is_about() -> None:
    """Each names the directions that it rules."""
    for policy in policies():
        ruled = {direction for direction in ("ingress", "egress") if direction in policy}
        assert ruled <= {direction.lower() for direction in policy["policyTypes"]}
