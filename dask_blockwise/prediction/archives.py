"""What a file of a network would do when it is loaded, told from its bytes alone.

``torch.export.load`` unpickles in full what it can't unpickle safely, evaluates sizes and guards
that a file holds as Python text, calls functions by their dotted names, and loads libraries.
Programs of TorchScript run no Python, but they may write and read files.
"""

from __future__ import annotations

import ast
import io
import json
import pickletools
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["danger_of"]

_PLAIN_PICKLE = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor|tensor_v2|parameter|qtensor)"
    r"|torch (\w+Storage|Size|device|(b?float|u?int|complex|q?u?int)\d+\w*|bool|double|half|long)"
    r"|torch\.storage (Untyped|Typed)Storage|torch\.serialization _get_layout"
)
_CALLED = re.compile(
    r"torch\.ops\.(aten|prims|quantized|quantized_decomposed|torchvision)\.[a-zA-Z0-9]\w*(\.\w+)?"
    r"|torch\.ops\.(aten|prims)\._[a-zA-Z0-9]\w*(\.\w+)?"
    r"|torch\.ops\.aten\.__(and|or|xor|lshift|rshift)__(\.\w+)?"
    r"|torch\.ops\.higher_order\.(wrap_with_\w+|cond|while_loop|map_impl)"
    r"|torch\.sym_\w+|math\.\w+"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_"
    r"|not_|getitem)"
)
_ON_FILES = re.compile(r"\b(save|from_file|load_library)\b")
_NAME = re.compile(r"[\w.:/+\-*<> ]*")
_LIBRARY = re.compile(r"aotinductor|custom_obj_|opaque_obj_|\.(so|o|dll|dylib|pyd?|pyc)$")
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Constant,
    ast.Name, ast.Load, ast.Call, ast.keyword, ast.Subscript, ast.Attribute, ast.Tuple,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
_FUNCTIONS = ("min", "max", "abs", "len", "int", "float", "bool")
_METHODS = ("size", "stride", "storage_offset", "dim", "numel")


def danger_of(path: Path, kind: str) -> str | None:
    """What a file does beyond holding a network; None if nothing.

    Parameters
    ----------
    path : Path
    kind : "torchscript", "export", ...
        As which it is to be loaded.

    Examples
    --------
    >>> with zipfile.ZipFile("net.pt", "w") as archive:
    ...     archive.writestr("net/code/net.py", "torch.save(x, 'here')")
    >>> danger_of(Path("net.pt"), "torchscript")
    'its program reads or writes files (torch.save)'
    """
    if kind not in ("torchscript", "export"):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if len(set(archive.namelist())) < len(archive.namelist()):
                # Readers differ in which of them they take.
                return "it holds members of the same name"
            found = _of_program(archive) if kind == "torchscript" else _of_export(archive)
            return next(found, None)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        return f"nobody can look into it: it may be cut off ({error})"


def _of_program(archive: zipfile.ZipFile) -> Iterator[str]:
    for name in archive.namelist():
        text = archive.read(name).decode(errors="replace") if name.endswith(".py") else ""
        for line in text.splitlines():
            hit = _ON_FILES.search(line)
            if hit and f"{hit[0]}(" in line.replace(" ", ""):
                yield f"its program reads or writes files (torch.{hit[0]})"


def _of_export(archive: zipfile.ZipFile) -> Iterator[str]:
    pickled = set()
    for name in archive.namelist():
        if _LIBRARY.search(name):
            yield f"it holds compiled code or objects ({name})"
        if (
            name.endswith(".json")
            and not name.startswith("extra")
            and archive.getinfo(name).file_size
        ):
            try:
                content = json.loads(archive.read(name))
            except ValueError:
                content = None
            if content is None and name.endswith(("state_dict.json", "constants.json")):
                pickled.add(name)
                continue
            pickled |= set(_pickled(content))
            yield from _of_text(content)
    for name in archive.namelist():
        if name.endswith((".pt", ".pkl")) or name in pickled or name.rpartition("/")[2] in pickled:
            yield from _of_pickle(name, archive.read(name))


def _pickled(content: Any) -> Iterator[str]:
    """Names of the members that are to be unpickled."""
    if isinstance(content, dict):
        if content.get("use_pickle"):
            yield str(content.get("path_name")).rpartition("/")[2]
        content = list(content.values())
    if isinstance(content, list):
        for inner in content:
            yield from _pickled(inner)


def _of_text(content: Any, key: str = "") -> Iterator[str]:
    """What is in the description of a program, wherever it stands."""
    if isinstance(content, dict):
        for name, inner in content.items():
            # For people; nothing of it is evaluated.
            if name != "metadata":
                yield from _of_text(name)
                yield from _of_text(inner, name)
    elif isinstance(content, list):
        for inner in content:
            yield from _of_text(inner, key)
    elif isinstance(content, str) and not _is_plain(content, key):
        yield f"it has {content[:60]!r} evaluated"


def _is_plain(text: str, key: str) -> bool:
    if key == "target":
        called = not _NAME.fullmatch(text) or text.startswith(("torch", "_operator", "math", "#"))
        return not called or bool(_CALLED.fullmatch(text) and not _ON_FILES.search(text))
    if key in ("expr_str", "guards_code"):
        return _is_arithmetic(text)
    if key in ("in_spec", "out_spec", "signature"):
        return _is_nesting(text)
    return bool(_NAME.fullmatch(text))


def _is_arithmetic(text: str) -> bool:
    """Whether an expression has nothing but numbers, sizes and functions of them."""
    try:
        nodes = list(ast.walk(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError):
        return False
    return all(isinstance(node, _NODES) and _is_of_numbers(node) for node in nodes)


def _is_of_numbers(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, str) or bool(re.fullmatch(r"[a-zA-Z]\w*", node.value))
    if isinstance(node, ast.Attribute):
        return node.attr in _METHODS or (
            isinstance(node.value, ast.Name) and node.value.id == "math"
        )
    if not isinstance(node, ast.Call):
        return True
    if isinstance(node.func, ast.Name):
        return node.func.id in _FUNCTIONS or node.func.id[0].isupper()
    return isinstance(node.func, ast.Attribute)


def _is_nesting(text: str) -> bool:
    """Whether it says how tuples, lists and dictionaries hold tensors."""
    types = re.findall(r'"type"\s*:\s*"([^"]*)"', text)
    plain = {"builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
    return set(types) <= plain or not text


def _of_pickle(name: str, content: bytes) -> Iterator[str]:
    inner = {name: content}
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inner = {n: archive.read(n) for n in archive.namelist() if n.endswith(".pkl")}
    for part, pickled in inner.items():
        if pickled and not _is_plain_pickle(pickled):
            yield f"it unpickles what is no tensor ({part} in {name})"


def _is_plain_pickle(content: bytes) -> bool:
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
                return False
            if opcode.name == "GLOBAL" and not _PLAIN_PICKLE.fullmatch(str(argument)):
                return False
    except Exception:
        return False
    return True
