"""The specification of a SparkApplication, as far as the manifests use it.

No registry that the tests can reach has the schema of the operator's kinds. These types are written
from its documentation (the API `sparkoperator.k8s.io/v1beta2` of version 2.5): all the names there
are that may be used here, with their types and what each is limited to. What is of a kind of
Kubernetes itself is left to its own schemas.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

API_VERSION: Final = "sparkoperator.k8s.io/v1beta2"

Positive = Annotated[int, msgspec.Meta(ge=1)]
Mebibytes = Annotated[str, msgspec.Meta(pattern=r"^\d+[kmgt]$")]
"""Java's way to say how much memory: 2g"""
OfKubernetes = dict[str, Any]


class _Strict(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What has no other keys than those that are named."""


class RestartPolicy(_Strict, kw_only=True):
    """When an application is started again."""

    type: Literal["Never", "Always", "OnFailure"] = "Never"
    on_submission_failure_retries: Annotated[int, msgspec.Meta(ge=0)] | None = None
    on_failure_retries: Annotated[int, msgspec.Meta(ge=0)] | None = None
    on_submission_failure_retry_interval: Positive | None = None
    on_failure_retry_interval: Positive | None = None


class _Pod(_Strict, kw_only=True):
    """What driver and executors both have."""

    cores: Positive
    core_limit: str | None = None
    core_request: str | None = None
    memory: Mebibytes
    memory_overhead: Mebibytes | None = None
    image: str | None = None
    env: list[OfKubernetes] = []
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    volume_mounts: list[OfKubernetes] = []
    affinity: OfKubernetes | None = None
    tolerations: list[OfKubernetes] = []
    pod_security_context: OfKubernetes
    security_context: OfKubernetes
    node_selector: dict[str, str] = {}
    termination_grace_period_seconds: int | None = None
    service_account: str
    java_options: str | None = None
    priority_class_name: str | None = None


class Driver(_Pod, kw_only=True):
    """The driver."""

    service_labels: dict[str, str] = {}
    service_annotations: dict[str, str] = {}


class Executor(_Pod, kw_only=True):
    """Each executor."""

    instances: Positive
    delete_on_termination: bool | None = None


class SparkApplicationSpec(_Strict, kw_only=True):
    """What is asked of the operator."""

    type: Literal["Java", "Python", "Scala", "R"]
    spark_version: str
    mode: Literal["cluster", "client"]
    image: str
    image_pull_policy: str | None = None
    image_pull_secrets: list[str] = []
    main_application_file: str
    arguments: list[str] = []
    spark_conf: dict[str, str] = {}
    hadoop_conf: dict[str, str] = {}
    volumes: list[OfKubernetes] = []
    driver: Driver
    executor: Executor
    restart_policy: RestartPolicy
    python_version: Literal["2", "3"]
    memory_overhead_factor: str | None = None
    time_to_live_seconds: int | None = None
