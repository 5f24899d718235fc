"""The house rules, checked on the source: who may import whom, what C may see, what must never appear.

Each room of ``fastemb/`` stands on a floor and imports only from floors below its own (docs/design.md). Imports inside
functions count: a late import hides a circle from Python, not from a reader.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "fastemb"

FLOORS = {
    "__main__": 8,
    "cli": 7,
    "sklearn": 7,
    "": 6,  # fastemb/__init__.py and top-level modules that only re-export
    "callbacks": 6,
    "phrases": 6,
    "training": 5,
    "report": 5,
    "vectors": 4,
    "evaluation": 3,
    "corpus": 2,
    "search": 2,
    "nn": 2,
    "formats": 1,
    "geometry": 1,
    "reference": 0,  # apart: NumPy only, and nothing of the product leans on it
}

MODULES = sorted(p for p in PACKAGE.rglob("*") if p.suffix in (".py", ".pyx") and "__pycache__" not in p.parts)
HEADERS_AND_C = sorted((ROOT / "csrc").glob("*.[ch]"))
PYX_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import\s+(.+)|c?import\s+([\w.]+))", re.M)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path) for path in MODULES}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path) -> set[str]:
    """Names of the modules of fastemb that a file imports, submodules resolved."""
    found: set[str] = set()
    text = path.read_text(encoding="utf-8")
    own = module_name(path)
    package = own if path.stem == "__init__" else own.rpartition(".")[0]

    def add(module: str, names: list[str]) -> None:
        if module.split(".")[0] != "fastemb":
            return
        for name in names or [""]:
            full = f"{module}.{name}"
            found.add(full if full in NAMES else module)

    if path.suffix == ".pyx":
        for source, names, whole in PYX_IMPORT.findall(text):
            if source:
                add(source, re.findall(r"(\w+)(?:\s+as\s+\w+)?", names.strip("( ")))
            else:
                add(whole, [])
        return found - {own}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                add(alias.name, [])
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")
            module = node.module or ""
            if node.level:
                module = ".".join([*base[: len(base) - node.level + 1], *([module] if module else [])])
            add(module, [alias.name for alias in node.names])
    return found - {own}


GRAPH = {module_name(path): imports(path) for path in MODULES}


def test_every_room_has_a_floor():
    assert {room(name) for name in NAMES} <= set(FLOORS)


@pytest.mark.parametrize("module", sorted(GRAPH))
def test_nothing_imports_upwards(module):
    here = room(module)
    wrong = [
        target
        for target in sorted(GRAPH[module])
        if room(target) != here
        and here != ""  # the face may show everything
        and (FLOORS[room(target)] >= FLOORS[here] or room(target) == "reference")
    ]
    assert not wrong, f"{module} (floor {FLOORS[here]}) imports {', '.join(wrong)}"


def test_no_circles():
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "circle of imports: " + " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for target in sorted(GRAPH.get(module, ())):
            if target != "fastemb":  # the face imports lazily
                visit(target, (*path, module))
        done.add(module)

    for module in sorted(GRAPH):
        if module != "fastemb":
            visit(module, ())


def test_the_twins_need_numpy_only():
    allowed = {"numpy", "fastemb", *sys.stdlib_module_names}
    for path in (PACKAGE / "reference").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert {name.split(".")[0] for name in names} <= allowed, path
            assert all(room(name) == "reference" for name in names if name.split(".")[0] == "fastemb"), path


def without_c_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)


@pytest.mark.parametrize("path", HEADERS_AND_C, ids=lambda p: p.name)
def test_c_core_knows_no_python(path):
    text = without_c_comments(path.read_text(encoding="utf-8"))
    assert not re.search(r"Python\.h|PyObject|Py_|numpy/|arrayobject", text)


@pytest.mark.parametrize("path", HEADERS_AND_C, ids=lambda p: p.name)
def test_c_names_start_with_fe(path):
    """Functions, types, enumerators and macros that others can see; what is static in a .c file is its own affair."""
    text = without_c_comments(path.read_text(encoding="utf-8"))
    if path.suffix == ".h":
        macros = set(re.findall(r"^\s*#\s*define\s+(\w+)", text, re.M))
        macros -= set(re.findall(r"^\s*#\s*undef\s+(\w+)", text, re.M))  # seen by nobody else
        wrong = {m for m in macros if not m.lower().startswith("fe_")}
        assert not wrong, f"macros without FE_: {sorted(wrong)}"
        types = set(re.findall(r"^\s*typedef\s+(?:struct|enum|union)\b[^;{]*(?:\{[^}]*\})?\s*(\w+)\s*;", text, re.M))
        assert not {t for t in types if not t.startswith("fe_")}
    code = re.sub(
        r"^\s*#(?:.*\\\n)*.*$", "", text, flags=re.M
    )  # function names made by macros are seen where they are linked
    functions = re.findall(
        r"^(?!static|typedef|return|else|FE_INLINE|FE_API_INLINE)[a-z][\w\s*]*?\b(\w+)\s*\([^;{]*\)\s*[;{]", code, re.M
    )
    wrong = {f for f in functions if not f.startswith(("fe_", "FE_"))}
    assert not wrong, f"functions without fe_: {sorted(wrong)}"


FORBIDDEN = {
    "pickle": re.compile(
        r"\b(?:c?[pP]ickle|marshal|shelve|joblib|dill)\.\w|import\s+(?:c?[pP]ickle|marshal|shelve|joblib|dill)\b|"
        r"allow_pickle\s*=\s*True"
    ),
    "code from data": re.compile(r"(?<![\w.])(?:eval|exec|__import__)\s*\("),
    "this machine's instruction set": re.compile(r"-march=native|-mtune=native|-mcpu=native"),
    "unsafe floating point": re.compile(r"-ffast-math|-Ofast|-ffinite-math-only|-funsafe-math|\bfast-math\b"),
}


def code_of(path: Path) -> str:
    """A file without its comments and docstrings, where these words may well be discussed."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".c", ".h"):
        return without_c_comments(text)
    text = re.sub(r'"""(?:[^"\\]|\\.|"(?!""))*"""', '""', text)
    return re.sub(r"(?m)#.*$", "", text)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_must_not_appear(what):
    files = [*MODULES, *HEADERS_AND_C, ROOT / "setup.py", ROOT / "pyproject.toml"]
    found = [f"{p.relative_to(ROOT)}: {m[0]!r}" for p in files for m in FORBIDDEN[what].finditer(code_of(p))]
    assert not found


def test_every_compiled_module_is_typed():
    missing = [p.relative_to(ROOT) for p in MODULES if p.suffix == ".pyx" and not p.with_suffix(".pyi").exists()]
    assert not missing
    assert (PACKAGE / "py.typed").exists()


def test_exports_are_documented():
    import fastemb

    for name in fastemb.__all__:
        value = getattr(fastemb, name)
        if not (inspect.isclass(value) or callable(value)):
            continue
        assert (value.__doc__ or "").strip(), f"fastemb.{name} has no docstring"
        if not inspect.isclass(value):
            continue
        bare = [
            f"fastemb.{name}.{attribute}"
            for attribute, member in vars(value).items()
            if not attribute.startswith("_")
            and (inspect.isfunction(member) or isinstance(member, (property, classmethod, staticmethod)))
            and not (inspect.getdoc(getattr(value, attribute)) or "").strip()
        ]
        assert not bare, f"without a docstring: {bare}"


def test_import_is_quick_and_light():
    """What takes time is loaded when it is first used."""
    code = "import sys, fastemb; print('|'.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("|")
    heavy = {
        "tqdm",
        "safetensors",
        "argparse",
        "unittest",
        "multiprocessing",
        "matplotlib",
        "fastemb.cli",
        "fastemb.reference",
    }
    assert not heavy & {name.strip() for name in loaded}


def test_files_stay_readable():
    long = {
        str(p.relative_to(ROOT)): n
        for p in [*MODULES, *HEADERS_AND_C, *(ROOT / "csrc").glob("*.inc.h")]
        if (n := p.read_text(encoding="utf-8").count("\n")) > (900 if p.suffix in (".c", ".h") else 700)
    }
    assert not long
