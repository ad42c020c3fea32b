"""Releases: what the commands `sign` and `verify` do beside the runtime's own signatures."""

from __future__ import annotations

import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kdpinn import atomic
from kdpinn_runtime import Trust


def trust_of(key: Path | None, name: str, at_least: int, memory: Path | None) -> Trust | None:
    """What the command line asks for; None if no signature is required.

    Raises ValueError for conditions without a key: without one they would hold nothing.
    """
    if key is None:
        if name or at_least or memory:
            raise ValueError("--name, --at-least and --memory need --require-signature KEY")
        return None
    return Trust(key=key, name=name, at_least=at_least, memory=memory)


def sign_bundle(model: Path, key: Path) -> Path:
    """Signs a model as OpenSSF does (model-signing), beside it as `model.kdp.bundle`.

    For places that check all models in that one way:
    `model_signing verify key MODEL --signature MODEL.bundle --public_key KEY.pub`.

    Args:
        key: a private key on an elliptic curve (PEM); this standard has no Ed25519.
    Raises:
        ValueError: the package is missing, or the key is of no use to it.
    """
    if find_spec("model_signing") is None:
        raise ValueError("bundles need the package model-signing: pip install 'kdpinn[bundle]'")
    signing: Any = import_module("model_signing.signing")
    bundle = Path(f"{model}.bundle")
    with tempfile.TemporaryDirectory(prefix="kdpinn-sign-") as folder:
        made = Path(folder) / "bundle"
        try:
            config = signing.Config().use_elliptic_key_signer(private_key=key)
            config.sign(model, made)
        except (AttributeError, TypeError, ValueError) as error:  # the first for Ed25519
            raise ValueError(
                f"{key} cannot sign a bundle: {error}. It has to be a key on an elliptic curve: "
                "openssl ecparam -name prime256v1 -genkey -noout -out release-ec.key"
            ) from error
        atomic.write_bytes(bundle, made.read_bytes())
    return bundle
