"""What kustomize makes of the manifests, as they are and with the changes that the guide shows."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.brokers import mosquitto_binary
from tests.deploy.compose import make_secrets
from tests.deploy.kubernetes.manifests import generated, manifests
from tests.deploy.secure_broker import DEPLOY
from tests.processes import ROOT

GUIDE: Final = ROOT / "docs" / "guides" / "kubernetes.md"


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/ with secrets."""
    if shutil.which("kubectl") is None or mosquitto_binary() is None:
        pytest.skip("needs kubectl, openssl and mosquitto_passwd")
    folder = tmp_path_factory.mktemp("kustomize") / "deploy"
    shutil.copytree(DEPLOY, folder, ignore=shutil.ignore_patterns("secrets"))
    make_secrets(folder / "secrets", "broker.example.org")
    return folder


def built(folder: Path) -> str:
    """Return what `kubectl kustomize` makes of a folder; it has nothing to say."""
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def test_all_of_it_is_in_one_namespace(deploy: Path) -> None:
    """Each manifest and all that is generated are there, in the namespace."""
    found: list[dict[str, Any]] = list(yaml.safe_load_all(built(deploy)))
    n_generated = len(generated("ConfigMap")) + len(generated("Secret"))
    assert len(manifests()) + n_generated == len(found)
    assert {"har"} == {one["metadata"].get("namespace", "har") for one in found}


def test_who_uses_what_is_generated_is_started_anew_with_it(deploy: Path) -> None:
    """What is generated has a name of its content, which all know who use it."""
    text = built(deploy)
    for kind, word in (("ConfigMap", "configMap"), ("Secret", "secret")):
        for name in generated(kind):
            assert re.search(rf"name: {name}-[a-z0-9]{{10}}$", text, re.MULTILINE)
            assert not re.search(rf"{word}(Ref)?:\n +name: {name}$", text, re.MULTILINE)


def test_the_changes_of_the_guide(deploy: Path) -> None:
    """The guide's own kustomization brings every image from elsewhere, and its other settings."""
    (own,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    folder = deploy.parent / "har"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(own)
    text = built(folder)
    images = set(re.findall(r"^ *-? ?image: (.*)$", text, re.MULTILINE))
    version = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())["images"][0]["newTag"]
    assert images == {
        f"registry.example.org/har/{name}:{version}"
        for name in ("har-stream", "har-mosquitto", "har-spark")
    }
    assert "storageClassName: cephfs" in text
    assert "HAR_ORIGIN: https://har.example.org" in text
