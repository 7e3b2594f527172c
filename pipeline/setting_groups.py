"""The groups in which ``--help`` and the page of settings list settings: alike in all commands.

A group lists what is used most first. Where a command trains, some names mean another thing: it has
groups of its own (`CommandSettings.groups`).
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

Groups: TypeAlias = Mapping[str, tuple[str, ...]]
"""The names of settings in each group, both in the order in which they are shown"""

GROUPS: Final[Groups] = {
    "what to read": (
        *("files", "models", "recording", "data", "subjects", "split", "placements"),
        *("activity", "seed", "from_", "to", "day", "week", "zone"),
    ),
    "connection": (
        *("broker", "port", "username", "password_file", "password"),
        *("tls", "cafile", "cert", "key", "key_password_file", "key_password", "insecure"),
        *("retry", "protocol", "max_packet"),
        *("kafka", "kafka_config", "samples_topic", "results_topic"),
        *("partitions", "group", "client_id", "only"),
    ),
    "batches": (
        *("master", "jars", "conf", "buckets"),
        *("trigger", "records_a_trigger", "begin"),
    ),
    "web pages": (
        *("web", "listen", "self_signed", "https_cert", "https_key", "token_file", "token"),
        "origin",
    ),
    "phones": (
        *("device", "subscribe", "default_subscriptions", "list_formats"),
        *("placement", "frame", "convention", "label", "remove"),
        *("offline_after", "forget_after", "max_devices"),
        *("max_behind", "max_ahead", "lateness"),
    ),
    "playing": (
        *("speed", "duration", "rows", "compact", "original_times", "labels"),
        *("wait", "timeout"),
    ),
    "recognition": ("model", "hop", "filter_start", "batch_size", "threads", "tick", "max_waiting"),
    "state and history": (
        *("state", "checkpoint", "reset_state", "session_expiry"),
        *("checkpoint_location", "from_state"),
        *("database", "database_file", "keep", "keep_predictions"),
    ),
    "output": (
        *("output", "out", "csv", "parquet", "json_", "windows", "plot", "report", "color"),
        *("home_assistant", "heartbeat"),
    ),
    "logging and metrics": ("log_level", "log_format", "metrics"),
}
"""Of all commands but har-train"""

TRAINING: Final[Groups] = {
    "what to train, and on what": (
        *("model", "data", "recipe", "placements", "without", "extra", "frame", "out"),
        *("seed", "seeds"),
    ),
    "fine-tuning": ("parent", "tuning_epochs", "tuning_rate"),
    "fitting (--recipe plain)": (
        *("epochs", "batch_size", "learning_rate", "validation_subjects", "patience", "refit"),
    ),
    "size (--recipe plain)": (
        *("units", "dense_units", "filters", "kernel_size", "dropout", "n_steps", "n_length"),
    ),
    "logging": ("log_format",),
}
"""Of har-train"""


def group_of(name: str, groups: Groups) -> tuple[str, int]:
    """Return the group of a setting, and its place in there.

    Raises:
        KeyError: it has none.
    """
    for title, names in groups.items():
        if name in names:
            return title, names.index(name)
    raise KeyError(name)
