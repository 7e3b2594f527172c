"""Each manifest of a kind that Kubernetes itself has, by the schemas of its versions."""

import copy
from typing import Final

import kubernetes_validate
import pytest

from tests.deploy.kubernetes.manifests import (
    KUBERNETES_VERSIONS,
    Manifest,
    manifests,
    name_of,
)

BUILT_IN: Final = [
    manifest
    for manifest in manifests()
    if "." not in manifest["apiVersion"] or ".k8s.io/" in manifest["apiVersion"]
    if not manifest["apiVersion"].startswith("sparkoperator.")
]


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("manifest", BUILT_IN, ids=name_of)
def test_kubernetes_takes_it(manifest: Manifest, version: str) -> None:
    """Its schema has each key that is there, and each value is of the schema's type."""
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_wrong_key_is_found() -> None:
    """A key that Kubernetes would leave out in silence is an error."""
    wrong = copy.deepcopy(next(one for one in BUILT_IN if one["kind"] == "Deployment"))
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFilesystem"):
        kubernetes_validate.validate(wrong, KUBERNETES_VERSIONS[0], strict=True)
