from pathlib import Path

import pytest

from pipeline.commands.bridge.kafka_config import BridgeError, KafkaConfig

FILE = """# for Kafka
security.protocol=SASL_SSL

  sasl.mechanisms = SCRAM-SHA-512
sasl.username=har-bridge
sasl.password=s3=cret
ssl.ca.location=/etc/kafka/ca.pem
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of properties."""
    path = tmp_path / "kafka.properties"
    path.write_text(FILE)
    return path


def test_properties_are_read(file: Path) -> None:
    """Spaces around names and values do not count, nor do comments; a value may hold a ``=``."""
    assert {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "har-bridge",
        "sasl.password": "s3=cret",
        "ssl.ca.location": "/etc/kafka/ca.pem",
    } == KafkaConfig(file).properties
    assert {} == KafkaConfig(None).properties


def test_secrets_are_not_told(file: Path) -> None:
    """What librdkafka says may quote a password; names of users and files are no secrets."""
    config = KafkaConfig(file)
    said = config.explain("har-bridge\ncannot log in with s3=cret, see /etc/kafka/ca.pem")
    assert "har-bridge cannot log in with ***, see /etc/kafka/ca.pem" == said


def test_what_librdkafka_does_not_take(file: Path) -> None:
    """The property is named, and never its value."""
    config = KafkaConfig(file)
    error = config.refusal('Invalid value "s3=cret" for configuration property "sasl.password"')
    assert "the property sasl.password" in str(error)
    assert "s3" not in str(error)
    assert "a property of the file" in str(config.refusal("something else with s3=cret"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"sasl.password s3cret", "line 1 is not NAME=VALUE"),
        (b"#\n=s3cret", "line 2 is not NAME=VALUE"),
        (b"acks=1", "line 1: acks is har-bridge's own to set"),
        (b"group.id = s3cret", "line 1: group.id is har-bridge's own to set"),
        (b"s3cret=\xff", "is not text in UTF-8"),
        (b"#" * (1 << 20) + b"s3cret", "holds over 1048576 bytes"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_files_that_do_not_fit(tmp_path: Path, content: bytes, said: str) -> None:
    """The line is told, and nothing that may be a secret."""
    path = tmp_path / "kafka.properties"
    path.write_bytes(content)
    with pytest.raises(BridgeError) as error:
        KafkaConfig(path)
    assert f"kafka-config = {str(path)!r}: {said}" in str(error.value)
    assert "s3cret" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is told as any file."""
    with pytest.raises(BridgeError, match=r"gone': No such file or directory"):
        KafkaConfig(tmp_path / "gone")
