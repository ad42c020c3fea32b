"""Signed model files: who released this one, as what, and is it the newest?

A signature stands beside the model, `model.kdp.sig`: one line of JSON that says what is signed,
and the Ed25519 signature (RFC 8032) of that line. It covers every byte of the model file, the name
it was released under, and a version that only rises. Needs the package cryptography
(`pip install 'kdpinn-runtime[sign]'`), which nothing else here imports.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._reader import read_bytes
from .atomic import replacing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    from .model import Model

StrPath = str | os.PathLike[str]
DOMAIN = b"kdpinn model signature 1\n"
"""Before what is signed, so that the key cannot be made to sign it for another purpose."""
MAX_SIZE = 4096
MAX_VERSION = 2**53 - 1
PASSWORD = "KDPINN_KEY_PASSWORD"  # the variable's name
"""Environment variable with the password of a private key, if it has one."""


class SignatureError(ValueError):
    """The model is not accepted: no signature, another key, other bytes, another name, too old."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What is signed.

    name: what the model was released as; version: rises with every release of that name; sha256,
    size: of the whole model file; key: fingerprint of the public key.
    """

    name: str
    version: int
    sha256: str
    size: int
    key: str

    def line(self) -> bytes:
        """The bytes that are signed, without the line's end."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=True).encode()


def signature_path(model: StrPath) -> Path:
    """Where the signature of a model file stands."""
    return Path(f"{os.fspath(model)}.sig")


def new_key(path: StrPath) -> tuple[Path, Path]:
    """Makes a key: `path`.key, which only its owner can read, and `path`.pub, for everybody.

    Both are PEM as OpenSSL has them. Raises FileExistsError rather than replace a key.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    private, public = Path(f"{os.fspath(path)}.key"), Path(f"{os.fspath(path)}.pub")
    key = Ed25519PrivateKey.generate()
    password = os.environ.get(PASSWORD, "").encode()
    lock: KeySerializationEncryption = (
        BestAvailableEncryption(password) if password else NoEncryption()
    )
    contents = {
        private: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock),
        public: key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    }
    for place in contents:
        if place.exists():
            raise FileExistsError(f"{place} exists; a key is never replaced: choose another name")
    for place, content in contents.items():
        mode = 0o600 if place == private else 0o644
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            stream.write(content)
    return private, public


def sign(
    model: StrPath, key: StrPath, *, name: str | None = None, version: int | None = None
) -> Statement:
    """Signs a model file with a private key (PEM) and writes `model.kdp.sig`.

    Args:
        name: what the model is released as; the file's name without its ending by default.
        version: has to rise from release to release; the seconds since 1970 by default.
    Raises:
        FormatError: the file is no whole model. ValueError: the key or an argument is of no use.
    """
    from .model import load

    content = read_bytes(model)
    load(content)  # nobody signs what nobody can load
    secret = _private(key)
    statement = Statement(
        name=Path(model).stem if name is None else name,
        version=int(time.time()) if version is None else version,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        key=fingerprint(secret.public_key()),
    )
    if not statement.name or not 0 <= statement.version <= MAX_VERSION:
        raise ValueError(
            f"a release needs a name and a version from 0 to {MAX_VERSION}, got "
            f"{statement.name!r} and {statement.version}"
        )
    line = statement.line()
    signature = base64.b64encode(secret.sign(DOMAIN + line))
    text = line + b"\n" + signature + b"\n"
    if len(text) > MAX_SIZE:
        raise ValueError(f"the name has {len(statement.name)} characters: too long for a signature")
    with replacing(signature_path(model)) as stream:
        stream.write(text)
    return statement


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Which model files are accepted.

    Attributes:
        key: file of the public key (PEM) that has to have signed them.
        name: what they have to be released as; empty: any name.
        at_least: versions before this one are refused.
        memory: a file that remembers the newest version of each name; older ones, and another file
            of the same version, are refused from then on. It is written when a model is accepted;
            where several processes share one, each write is whole and the last one stays.
    """

    key: StrPath
    name: str = ""
    at_least: int = 0
    memory: StrPath | None = None

    def admit(self, model: StrPath) -> tuple[bytes, Statement]:
        """The bytes of a model file, read once, and what its signature says of them.

        Raises SignatureError if they are not accepted, OSError if a file cannot be read.
        """
        content = read_bytes(model)
        statement = _signed(model, _public(self.key))
        _check_content(model, content, statement)
        if self.name and statement.name != self.name:
            raise SignatureError(
                f"{os.fspath(model)} was released as '{statement.name}', expected '{self.name}'"
            )
        newest = _remembered(self.memory).get(statement.name, {})
        least = max(self.at_least, newest.get("version", 0))
        if statement.version < least:
            raise SignatureError(
                f"{os.fspath(model)} is version {statement.version} of '{statement.name}', at "
                f"least {least} is expected: an older release was put in its place"
            )
        if statement.version == newest.get("version") and statement.sha256 != newest["sha256"]:
            raise SignatureError(
                f"{os.fspath(model)} is another file than the one accepted before as version "
                f"{statement.version} of '{statement.name}': release it with a new version"
            )
        _remember(self.memory, statement)
        return content, statement


def load_signed(model: StrPath, trust: Trust, **options: Any) -> Model:
    """`load`, but of an accepted file alone; `options` are those of `load`.

    Raises SignatureError, FormatError or OSError.
    """
    from .model import load

    return load(trust.admit(model)[0], **options)


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the public key's 32 bytes, hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def _signed(model: StrPath, key: Ed25519PublicKey) -> Statement:
    """The statement beside `model`, if the key has signed it."""
    from cryptography.exceptions import InvalidSignature

    path = signature_path(model)
    try:
        with open(path, "rb") as stream:
            text = stream.read(MAX_SIZE + 1)
    except FileNotFoundError:
        raise SignatureError(
            f"{os.fspath(model)} is not signed: {path.name} is not beside it. It was never signed, "
            "or the signature was left behind or removed"
        ) from None
    line, _, rest = text.partition(b"\n")
    statement = _parsed(path, line)
    if statement.key != fingerprint(key):
        raise SignatureError(
            f"{path} is of the key {statement.key[:16]}..., expected {fingerprint(key)[:16]}...: "
            "the model was released by somebody else, or with another key"
        )
    try:
        signature = base64.b64decode(rest)
        key.verify(signature, DOMAIN + line)
    except (InvalidSignature, ValueError):
        signature = b""
    if base64.b64encode(signature) + b"\n" != rest:  # there is one way to write it
        raise SignatureError(f"{path}: the signature is not valid, what it says was changed")
    return statement


def _parsed(path: Path, line: bytes) -> Statement:
    try:
        fields: dict[str, Any] = json.loads(line) if len(line) <= MAX_SIZE else {}
        statement = Statement(**fields)
        types = [str, int, str, int, str]
        good = all(type(v) is t for v, t in zip(asdict(statement).values(), types, strict=True))
    except (ValueError, TypeError, RecursionError):
        good = False
    if not good or statement.line() != line:
        raise SignatureError(f"{path} is not a signature of a model file")
    return statement


def _check_content(model: StrPath, content: bytes, statement: Statement) -> None:
    if len(content) != statement.size:
        raise SignatureError(
            f"{os.fspath(model)} has {len(content)} bytes, {statement.size} were signed: "
            f"{'bytes were appended' if len(content) > statement.size else 'it was cut off'}"
        )
    if hashlib.sha256(content).hexdigest() != statement.sha256:
        raise SignatureError(f"{os.fspath(model)} is not the file that was signed: it was changed")


def _remembered(memory: StrPath | None) -> dict[str, dict[str, Any]]:
    """Name -> version and sha256 of the newest accepted file."""
    if memory is None or not os.path.exists(memory):
        return {}
    try:
        found: dict[str, dict[str, Any]] = json.loads(Path(memory).read_bytes())
        if all(type(f["version"]) is int and type(f["sha256"]) is str for f in found.values()):
            return found
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    # Beginning anew would forget what was seen, which is what an attacker wants.
    raise SignatureError(f"{os.fspath(memory)} is not a memory of versions: restore or remove it")


def _remember(memory: StrPath | None, statement: Statement) -> None:
    if memory is None:
        return
    known = _remembered(memory)
    fact = {"version": statement.version, "sha256": statement.sha256}
    if known.get(statement.name) != fact:
        with replacing(memory) as stream:
            stream.write(json.dumps(known | {statement.name: fact}, indent=1).encode() + b"\n")


def _need_cryptography() -> None:
    if find_spec("cryptography") is None:
        raise ValueError(
            "signatures need the package cryptography: pip install 'kdpinn-runtime[sign]'"
        )


def _private(path: StrPath) -> Ed25519PrivateKey:
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    password = os.environ.get(PASSWORD, "").encode() or None
    try:
        key = load_pem_private_key(Path(path).read_bytes(), password)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} is no private key that can be read: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{os.fspath(path)} is not an Ed25519 key; `kdpinn keygen` makes one")
    return key


def _public(path: StrPath) -> Ed25519PublicKey:
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(Path(path).read_bytes())
    except ValueError:
        raise ValueError(f"{os.fspath(path)} is no public key in PEM, such as NAME.pub") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{os.fspath(path)} is not an Ed25519 key; `kdpinn keygen` makes one")
    return key
