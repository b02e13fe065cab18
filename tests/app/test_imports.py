import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("dsp", "models", "plugins", "offline", "realtime", "gramophone")
NEIGHBOURS = {"offline": {"realtime"}, "realtime": {"offline"}}

COMMANDS = (
    [],
    ["render"],
    ["batch"],
    ["texture"],
    ["live"],
    ["bounce"],
    ["learn"],
    ["devices"],
    ["ports"],
    ["style"],
    ["style", "make"],
    ["style", "info"],
    ["score"],
    ["recipes"],
    ["bench"],
    ["bench", "live"],
    ["demo"],
)


def imported(path: Path) -> Iterator[str]:
    """All modules that a file names in an import, wherever it stands; `a.b` also where `b` may be a name in `a`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its floor"
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_only_from_those_below(floor: str) -> None:
    above = set(FLOORS[FLOORS.index(floor) + 1 :]) | NEIGHBOURS.get(floor, set())
    for path in (ROOT / floor).rglob("*.py"):
        assert not above & {name.partition(".")[0] for name in imported(path)}, path


def test_no_modules_import_each_other_in_a_circle() -> None:
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*.py")
    }
    graph = {name: {found for found in imported(path) if found in files} for name, path in files.items()}
    assert sum(map(len, graph.values())) > len(files)
    # Raises CycleError, which names the modules.
    assert set(TopologicalSorter(graph).static_order()) == set(files)


def python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_loads_neither_torch_nor_anything_else_that_is_slow() -> None:
    code = f"""
import sys
from gramophone.app.cli.main import app
for command in {COMMANDS!r}:
    try:
        app([*command, "--help"])
    except SystemExit as end:
        assert end.code == 0, command
for module in ("torch", "scipy", "numpy", "soundfile", "matplotlib", "dask", "fsspec", "mutagen"):
    assert module not in sys.modules, module
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage:") == len(COMMANDS)


def test_importing_the_package_is_quick() -> None:
    done = python("import sys, gramophone; dir(gramophone); assert not {'torch', 'numpy'} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


def test_public_names_are_there() -> None:
    import gramophone

    for name in gramophone.__all__:
        assert getattr(gramophone, name)
        assert name in dir(gramophone)
    with pytest.raises(AttributeError, match="nothing"):
        _ = gramophone.nothing
