import ast
import functools
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# From the ground up. A file imports from its own folder and from those in earlier rows; folders that share a row do
# not import from each other, and neither do the two stages. "." is the root: the public names.
ROWS = (
    ("media",),
    ("dsp",),
    ("models/networks",),
    ("models",),
    ("models/measures",),
    ("models/live",),
    ("models/export",),
    ("plugins",),
    ("takes",),
    ("offline/work", "realtime/link"),
    ("offline/report", "offline/optimize", "realtime/control", "realtime/audio"),
    ("offline/transport", "offline/published", "realtime/engine"),
    ("offline/recipes",),
    ("offline/render", "realtime/styles"),
    ("offline/batch", "offline/bounce", "offline", "realtime"),
    ("app",),
    ("app/session",),
    ("app/desk",),
    ("app/live",),
    ("app/cli",),
    (".",),
)
ROW = {folder: row for row, folders in enumerate(ROWS) for folder in folders}

COMMANDS: tuple[list[str], ...] = (
    [],
    ["render"],
    ["batch"],
    ["texture"],
    ["live"],
    ["bounce"],
    ["learn"],
    ["devices"],
    ["ports"],
    ["plugins"],
    ["style"],
    ["style", "make"],
    ["style", "info"],
    ["score"],
    ["recipes"],
    ["bench"],
    ["bench", "live"],
    ["demo"],
)


def product() -> dict[str, Path]:
    """Every file of the package, by the name of its module."""
    files = [path for folder in ROW if folder != "." for path in (ROOT / folder).glob("*.py")]
    return {
        ".".join(("gramophone", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): path
        for path in (*ROOT.glob("*.py"), *files)
    }


FILES = product()


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported(module: str) -> Iterator[str]:
    """All modules that a file names in an import, wherever it stands; `a.b` also where `b` may be a name in `a`."""
    path = FILES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            named = ".".join([*above, *(node.module or "").split(".")]).strip(".")
            yield named
            yield from (f"{named}.{name.name}" for name in node.names)


def folder(module: str) -> str:
    return FILES[module].parent.relative_to(ROOT).as_posix()


def test_a_folder_imports_only_from_those_below() -> None:
    wrong = []
    for module in FILES:
        ours = folder(module)
        for found in imported(module):
            # The package's own name is its public face; what is asked of it is not asked of a floor.
            theirs = folder(found) if found in FILES and FILES[found].name != "__init__.py" else ours
            beside = {ours.partition("/")[0], theirs.partition("/")[0]} == {"offline", "realtime"}
            if theirs != ours and (ROW[theirs] >= ROW[ours] or beside):
                wrong.append(f"{module} -> {found}")
    assert not wrong


def test_the_product_imports_itself_by_the_path_on_disk() -> None:
    # An absolute import would find whatever else is called gramophone in the folder that Python is started in.
    absolute = [
        f"{path}: {ast.unparse(node)}"
        for path in FILES.values()
        for node in nodes(path)
        if (
            isinstance(node, ast.ImportFrom)
            and not node.level
            and (node.module or "").startswith("gramophone")
        )
        or (isinstance(node, ast.Import) and any(name.name.startswith("gramophone") for name in node.names))
    ]
    assert not absolute


def test_every_folder_of_the_product_is_packaged() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    folders = {Path(name).parent.as_posix() for name in tracked if name}
    product = {
        name for name in folders if name.partition("/")[0] not in {"tests", "benchmarks", "docs", "examples"}
    }
    assert {
        "gramophone" if name == "." else f"gramophone.{name.replace('/', '.')}" for name in product
    } == set(listed)
    # Whatever else lies at the root would be installed as a part of the package.
    assert {name for name in tracked if name and "/" not in name} == {"__init__.py", "__main__.py"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: {found for found in imported(module) if found in FILES} - {module} for module in FILES}
    assert sum(map(len, graph.values())) > len(FILES)
    # Raises CycleError, which names the modules.
    assert set(TopologicalSorter(graph).static_order()) == set(FILES)


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
for module in ("torch", "scipy", "numpy", "soundfile", "PIL", "dask", "fsspec", "mutagen"):
    assert module not in sys.modules, module
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage:") == len(COMMANDS)


def test_importing_the_package_is_quick() -> None:
    done = python("import sys, gramophone; dir(gramophone); assert not {'torch', 'numpy'} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


def test_a_host_starts_its_engine_before_it_loads_what_is_slow() -> None:
    slow = "{'torch', 'numpy', 'numba', 'scipy', 'soundfile'}"
    done = python(
        f"import sys, gramophone.realtime.host; found = {slow} & set(sys.modules); assert not found, found"
    )
    assert done.returncode == 0, done.stderr


def test_public_names_are_there() -> None:
    import gramophone

    for name in gramophone.__all__:
        assert getattr(gramophone, name)
        assert name in dir(gramophone)
    with pytest.raises(AttributeError, match="nothing"):
        _ = gramophone.nothing
