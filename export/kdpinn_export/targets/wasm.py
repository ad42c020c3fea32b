"""WebAssembly: one HTML page that evaluates and shows the model in a browser, checked in node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdpinn_runtime import Check

from ..answers import KnownAnswers, known_answers
from ..target import Precision, Request


@dataclass(frozen=True)
class Wasm:
    """`NAME.html`, which needs nothing beside it, and `answers.json`."""

    name: str = "wasm"
    summary: str = "one HTML page: the model live in a browser, with derivatives and residuals"
    precisions: tuple[Precision, ...] = ("f32",)
    derivatives: bool = True

    def missing(self) -> str:
        """The compiler, the linker and what runs the module for its check."""
        from ..browser import missing_tools
        from ..browser.replay import node_missing

        return "; ".join(filter(None, (missing_tools(), node_missing())))

    def tools(self) -> dict[str, str]:
        """What builds the module."""
        from ..browser import tool_versions

        return tool_versions()

    def build(self, request: Request) -> dict[str, bytes]:
        """The page and its known answers; the page has all derivatives in either case."""
        from ..browser import page

        answers = known_answers(request.model, derivatives=request.derivatives)
        return {
            f"{request.name}.html": page(request.data, file=request.model).encode(),
            "answers.json": answers.to_json(model=request.digest, engine="float32"),
        }

    def check(self, request: Request, folder: Path) -> list[Check]:
        """Values and derivatives within float32's rounding, and the file's baseline."""
        from ..browser.replay import quantities, replay

        answers: KnownAnswers = known_answers(request.model, derivatives=True)
        page = (folder / f"{request.name}.html").read_text("utf-8")
        said = replay(page, quantities(request.model, derivatives=True), answers.points)
        checks = [answers.compared(said.answers, f"node, {said.isa}")]
        for test in said.selftests:
            if test["points"]:
                passed = [check["passed"] for check in test["checks"] if check["carried"]]
                checks.append(
                    Check(
                        name=f"baseline, float{test['bits']}: checks failed",
                        passed=test["passed"],
                        measured=float(passed.count(False)),
                        limit=0.0,
                        note=f"{len(passed)} checks over {test['points']} points",
                    )
                )
        return checks


TARGET = Wasm()
