"""Signatures: every way to put another file in a model's place is refused, and says why."""

import base64
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("cryptography", reason="needs the package cryptography (extra sign)")

from kdp_samples import bare_model, sample

from kdpinn_runtime import (
    Reloading,
    ReloadWarning,
    SignatureError,
    Trust,
    load_signed,
    pack,
    verify,
)
from kdpinn_runtime.cli import main
from kdpinn_runtime.signatures import DOMAIN, new_key, sign, signature_path

OLD, NEW = pack(sample(seed=1)), pack(sample(seed=2))
X = np.random.default_rng(0).uniform(0, 1, (50, 2))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {name: new_key(folder / name) for name in ("ours", "theirs")}


@pytest.fixture
def released(tmp_path, keys):
    """A signed model, and who trusts it."""
    path = tmp_path / "model.kdp"
    path.write_bytes(OLD)
    sign(path, keys["ours"][0], name="boiler", version=3)
    return path, Trust(key=keys["ours"][1])


def release(path, content, key, version, name="boiler"):
    path.write_bytes(content)
    sign(path, key, name=name, version=version)


def test_a_signed_model_is_accepted(released):
    path, trust = released
    content, said = trust.admit(path)
    assert content == OLD
    assert (said.name, said.version, said.size) == ("boiler", 3, len(OLD))
    verdict = verify(path, latency=False, trust=trust)
    assert verdict.passed
    assert verdict.checks[0].name == "signature"
    assert "'boiler', version 3" in verdict.checks[0].note
    assert np.isfinite(load_signed(path, trust)(X)).all()


def refusal(path, trust):
    with pytest.raises(SignatureError) as refused:
        trust.admit(path)
    verdict = verify(path, latency=False, trust=trust)
    assert [check.passed for check in verdict.checks] == [False]  # nothing else was looked at
    assert verdict.checks[0].note == str(refused.value)
    return str(refused.value)


def test_a_wrong_key_is_refused(released, keys):
    path, _ = released
    assert "released by somebody else" in refusal(path, Trust(key=keys["theirs"][1]))


def test_a_stripped_signature_is_refused(released):
    path, trust = released
    signature_path(path).unlink()
    assert "model.kdp.sig is not beside it" in refusal(path, trust)


def test_another_file_is_refused(released):
    path, trust = released
    path.write_bytes(NEW)
    assert re.search("changed|appended|cut off", refusal(path, trust))


@pytest.mark.parametrize(
    ("content", "words"),
    [(OLD + b"\0", "bytes were appended"), (OLD + bytes(64), "appended"), (OLD[:-64], "cut off")],
)
def test_appended_and_missing_bytes_are_refused(released, content, words):
    path, trust = released
    path.write_bytes(content)
    assert words in refusal(path, trust)


def test_a_flip_of_any_byte_of_the_model_is_refused(released):
    path, trust = released
    for place in range(0, len(OLD), 37):
        flipped = bytearray(OLD)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(SignatureError, match="it was changed"):
            trust.admit(path)


def test_a_flip_of_any_byte_of_the_signature_is_refused(released):
    path, trust = released
    text = signature_path(path).read_bytes()
    for place in range(len(text)):
        for bit in (1, 4, 128):
            flipped = bytearray(text)
            flipped[place] ^= bit
            signature_path(path).write_bytes(flipped)
            with pytest.raises(SignatureError):
                trust.admit(path)
    for other in (b"", text[:-1], text + b"\n", text + b"x", b"[" * 4000, b"x" * 10_000, b"{}\n"):
        signature_path(path).write_bytes(other)
        with pytest.raises(SignatureError):
            trust.admit(path)


def test_what_is_said_cannot_be_changed_without_the_key(released):
    """A higher version written over the old one, the signature left as it is."""
    path, trust = released
    line, signature = signature_path(path).read_bytes().splitlines()
    fields = json.loads(line) | {"version": 9}
    changed = json.dumps(fields, sort_keys=True).encode()
    signature_path(path).write_bytes(changed + b"\n" + signature + b"\n")
    assert "what it says was changed" in refusal(path, trust)


def test_an_older_version_is_refused(released, keys, tmp_path):
    path, _ = released
    old = path.read_bytes(), signature_path(path).read_bytes()
    trust = Trust(key=keys["ours"][1], memory=tmp_path / "memory.json")
    trust.admit(path)
    release(path, NEW, keys["ours"][0], version=4)
    trust.admit(path)
    path.write_bytes(old[0])
    signature_path(path).write_bytes(old[1])
    assert "version 3 of 'boiler', at least 4 is expected" in refusal(path, trust)
    assert "at least 4" in refusal(path, Trust(key=keys["ours"][1], at_least=4))
    Trust(key=keys["ours"][1], at_least=3).admit(path)


def test_one_version_is_one_file(released, keys, tmp_path):
    path, _ = released
    trust = Trust(key=keys["ours"][1], memory=tmp_path / "memory.json")
    trust.admit(path)
    trust.admit(path)  # again
    release(path, NEW, keys["ours"][0], version=3)
    assert "another file than the one accepted before as version 3" in refusal(path, trust)


def test_a_model_released_as_another_is_refused(released, keys):
    """One key may sign several models: none of them can stand in for another."""
    path, _ = released
    expected = Trust(key=keys["ours"][1], name="boiler")
    expected.admit(path)
    release(path, NEW, keys["ours"][0], version=9, name="turbine")
    assert "released as 'turbine', expected 'boiler'" in refusal(path, expected)


def test_a_memory_that_cannot_be_read_accepts_nothing(released, tmp_path):
    path, trust = released
    memory = tmp_path / "memory.json"
    for content in ("", "[]", '{"boiler": 3}', '{"boiler": {"version": "3", "sha256": ""}}'):
        memory.write_text(content)
        with pytest.raises(SignatureError, match="not a memory of versions"):
            Trust(key=trust.key, memory=memory).admit(path)


def test_the_signature_is_ed25519_as_others_know_it(released, keys):
    """OpenSSL's library says so too, given the key, the line and the signature."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    path, _ = released
    line, signature = signature_path(path).read_bytes().splitlines()
    key = load_pem_public_key(keys["ours"][1].read_bytes())
    key.verify(base64.b64decode(signature), DOMAIN + line)
    assert os.stat(keys["ours"][0]).st_mode & 0o077 == 0


def test_keys_are_not_replaced_and_can_be_locked(keys, tmp_path, monkeypatch):
    with pytest.raises(FileExistsError, match="never replaced"):
        new_key(keys["ours"][0].with_suffix(""))
    monkeypatch.setenv("KDPINN_KEY_PASSWORD", "word")
    private, _ = new_key(tmp_path / "locked")
    path = tmp_path / "model.kdp"
    path.write_bytes(OLD)
    sign(path, private)
    monkeypatch.delenv("KDPINN_KEY_PASSWORD")
    with pytest.raises(ValueError, match=r"locked.key is no private key that can be read"):
        sign(path, private)


def test_what_cannot_be_signed(released, keys, tmp_path):
    path, _ = released
    key = keys["ours"][0]
    (tmp_path / "no.kdp").write_bytes(b"no")
    with pytest.raises(ValueError, match="no.kdp|model file"):
        sign(tmp_path / "no.kdp", key)
    for options in ({"name": ""}, {"version": -1}, {"version": 2**60}):
        with pytest.raises(ValueError, match="a release needs a name and a version"):
            sign(path, key, **options)
    with pytest.raises(ValueError, match="too long"):
        sign(path, key, name="n" * 5000)
    with pytest.raises(ValueError, match="no private key"):
        sign(path, keys["ours"][1])
    with pytest.raises(ValueError, match="no public key"):
        Trust(key=key).admit(path)


def test_a_served_model_is_replaced_by_signed_newer_ones_alone(released, keys):
    path, trust = released
    served = Reloading(path, trust=trust)
    first = served(X)
    path.write_bytes(NEW)
    with pytest.warns(ReloadWarning, match="changed|appended|cut off"):
        assert not served.check()
    assert np.array_equal(served(X), first)
    sign(path, keys["ours"][0], name="boiler", version=2)
    with pytest.warns(ReloadWarning, match="at least 3"):
        assert not served.check()
    assert not served.check()  # and warns no more
    sign(path, keys["ours"][0], name="boiler", version=4)
    assert served.check()
    assert not np.array_equal(served(X), first)


def test_the_command_of_the_device(released, keys, capsys):
    path, _ = released
    signed = ["verify", str(path), "--no-latency", "--require-signature"]
    assert main([*signed, str(keys["ours"][1])]) == 0
    assert main([*signed, str(keys["theirs"][1])]) == 1
    assert main([*signed, str(keys["ours"][1]), "--at-least", "4"]) == 1
    assert main([*signed, str(keys["ours"][0])]) == 2  # a private key where a public one belongs
    assert main(["verify", str(path), "--name", "boiler"]) == 2
    assert "need --require-signature" in capsys.readouterr().err


def test_nobody_pays_for_signatures_who_does_not_use_them():
    code = "import sys, kdpinn_runtime; print({'cryptography', 'base64'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert bare_model()  # the samples themselves need none
