"""Commands of whoever releases models: `kdpinn keygen` and `sign`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdpinn.commands.errors import reported
from kdpinn.commands.options import AsJson, ModelPath, print_json, stdout


def keygen(
    name: Annotated[
        Path, typer.Argument(metavar="NAME", help="The files are NAME.key and NAME.pub.")
    ],
) -> None:
    """Make a key to sign models with; KDPINN_KEY_PASSWORD, if set, locks it."""
    with reported():
        from kdpinn_runtime.signatures import new_key

        private, public = new_key(name)
    stdout().print(
        f"{private} signs models: keep it secret.\n{public} checks them: give it to every device.",
        highlight=False,
        soft_wrap=True,
    )


def sign(
    model: ModelPath,
    key: Annotated[Path, typer.Option(help="Private key: NAME.key of `kdpinn keygen`.")],
    name: Annotated[
        str | None, typer.Option(help="What it is released as; MODEL if omitted.")
    ] = None,
    version: Annotated[
        int | None,
        typer.Option(help="Has to rise with every release; seconds since 1970 if omitted."),
    ] = None,
    bundle: Annotated[
        bool,
        typer.Option("--bundle", help="As OpenSSF model-signing does, with an elliptic-curve key."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign a model file; the signature is written beside it, MODEL.kdp.sig."""
    with reported():
        if bundle:
            from kdpinn.signing import sign_bundle

            facts = {"file": str(sign_bundle(model, key))}
        else:
            from kdpinn_runtime.signatures import sign as signed
            from kdpinn_runtime.signatures import signature_path

            said = signed(model, key, name=name, version=version)
            facts = {"file": str(signature_path(model)), **vars(said)}
    if as_json:
        print_json(facts)
        return
    text = "" if bundle else f": '{facts['name']}', version {facts['version']}"
    stdout().print(f"{facts['file']}{text}", highlight=False, soft_wrap=True)
