"""The commands of whoever releases models, and what `kdpinn verify` makes of it."""

import json
import subprocess
import sys

import pytest
from kdp_samples import sample
from typer.testing import CliRunner

pytest.importorskip("cryptography", reason="needs the package cryptography (extra bundle)")

from kdpinn.cli import app
from kdpinn_runtime import pack


def kdpinn(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.kdp"
    path.write_bytes(pack(sample()))
    return path


def test_from_the_key_to_the_verdict(model, tmp_path):
    assert kdpinn("keygen", tmp_path / "release").exit_code == 0
    done = kdpinn(
        "sign", model, "--key", tmp_path / "release.key", "--name", "boiler", "--version", 7
    )
    assert done.exit_code == 0, done.output
    assert "'boiler', version 7" in done.output
    signed = ["verify", model, "--no-latency", "--require-signature", tmp_path / "release.pub"]
    done = kdpinn(*signed, "--name", "boiler", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["checks"][0]["name"] == "signature"
    assert kdpinn(*signed, "--at-least", 8).exit_code == 1
    (tmp_path / "model.kdp.sig").unlink()
    done = kdpinn(*signed)
    assert done.exit_code == 1
    assert "not signed" in done.stdout
    assert kdpinn("verify", model, "--no-latency").exit_code == 0  # as long as nobody asks


def test_wrong_use_is_said_in_a_line(model, tmp_path):
    done = kdpinn("verify", model, "--memory", tmp_path / "m.json")
    assert (done.exit_code, "need --require-signature" in done.output) == (2, True)
    done = kdpinn("sign", model, "--key", tmp_path / "none.key")
    assert (done.exit_code, "does not exist" in done.output) == (2, True)
    done = kdpinn("verify", model, "--engine", "c", "--require-signature", tmp_path / "a.pub")
    assert (done.exit_code, "engine native alone" in done.output) == (2, True)
    assert kdpinn("keygen", tmp_path / "a").exit_code == 0
    assert kdpinn("keygen", tmp_path / "a").exit_code == 2


def test_a_bundle_is_one_that_openssf_checks(model, tmp_path):
    pytest.importorskip("model_signing", reason="needs the package model-signing (extra bundle)")
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "ec.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (tmp_path / "ec.pub").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    done = kdpinn("sign", model, "--key", tmp_path / "ec.key", "--bundle")
    assert done.exit_code == 0, done.output
    check = [sys.executable, "-m", "model_signing", "verify", "key", str(model)]
    check += ["--signature", f"{model}.bundle", "--public_key", str(tmp_path / "ec.pub")]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0
    kdpinn("keygen", tmp_path / "ed")
    done = kdpinn("sign", model, "--key", tmp_path / "ed.key", "--bundle")
    assert (done.exit_code, "elliptic curve" in done.output) == (2, True)
