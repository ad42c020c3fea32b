"""The pages for users: commands and options that exist, links that lead somewhere."""

import re
from argparse import _SubParsersAction
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.main import get_command

from kdpinn.cli import app
from kdpinn_runtime.cli import _parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "runtime" / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
CODE = re.compile(r"^```.*?^```|`[^`]+`", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"\b(kdpinn(?:-runtime)?) ([a-z]+)\b([^`#\n]*)")
LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)")


def commands():
    """Program -> command -> its options."""
    subparsers = next(a for a in _parser()._actions if isinstance(a, _SubParsersAction))
    return {
        "kdpinn": {
            name: {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
            for name, command in get_command(app).commands.items()
        },
        "kdpinn-runtime": {
            name: set(parser._option_string_actions) for name, parser in subparsers.choices.items()
        },
    }


def calls(text):
    """(program, command, options) of every call in code."""
    for code in CODE.findall(text):
        for program, command, rest in CALL.findall(code):
            yield program, command, re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest)


def test_calls_are_found():
    text = "`kdpinn run x --out DIR`\n```\nkdpinn-runtime eval --a-b=1  # --c\n```\nkdpinn nothing"
    assert list(calls(text)) == [
        ("kdpinn", "run", ["--out"]),
        ("kdpinn-runtime", "eval", ["--a-b"]),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_commands_and_options_exist(name):
    known = commands()
    for program, command, options in calls((ROOT / name).read_text()):
        assert command in known[program], f"{name}: there is no `{program} {command}`"
        unknown = set(options) - known[program][command]
        assert not unknown, f"{name}: `{program} {command}` has no {unknown}"


def test_every_command_is_told_in_the_guide():
    told = {command for _, command, _ in calls((ROOT / "docs" / "guide.md").read_text())}
    assert set(commands()["kdpinn"]) <= told


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    broken = [to for to in LINK.findall(page.read_text()) if not (page.parent / to).exists()]
    assert broken == []


@pytest.mark.parametrize("name", NAMES)
def test_make_has_the_targets(name):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = " ".join(CODE.findall((ROOT / name).read_text()))
    targets.add("check")  # of a folder that the target c exports
    assert set(re.findall(r"\bmake ([a-z-]+)", code)) <= targets


@pytest.mark.parametrize("name", NAMES)
def test_modules_to_run_exist(name):
    for module in re.findall(r"python -m (kdpinn\w*(?:\.\w+)*)", (ROOT / name).read_text()):
        assert find_spec(module), f"{name}: no module {module}"
