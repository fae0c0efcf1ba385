"""Keep the result of an analysis, for the same code on the same images with the same arguments.

QATrack+ computes every composite test whenever a field of the list changes, and pylinac takes a
second or two each time. What the result depends on besides is part of the question too: values that
the code takes from outside of itself, and the versions of the libraries that it uses.
"""

from __future__ import annotations

import dis
import hashlib
import json
import sys
import types
from typing import Any, Callable, Iterator, Mapping, Sequence

from qatrack_aria.errors import RequestError
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.filesystem import entries_older_than, remove_file
from qatrack_aria.storage.notes import read_note, write_note
from qatrack_aria.text import short_repr

#: Bytes of a result, as JSON.
LONGEST = 2**20
#: Libraries that an analysis uses without naming them.
BENEATH = ("numpy", "scipy", "skimage", "pydicom", "pylinac")


def remembered(
    archive: Archive,
    images: Sequence[str],
    name: str,
    analyse: Callable[[], Any],
    asked: Any,
    longest: int = LONGEST,
) -> Any:
    """Return the result of an analysis, from the disk if it is there.

    Parameters
    ----------
    archive : Archive
        Where results are kept.
    images : sequence of str
        The digests of the images, in their order.
    name : str
        What is analysed.
    analyse : callable
        Does it.
    asked : Any
        All that the result depends on besides, in JSON's types: code, arguments.
    longest : int
        Characters that it may have as JSON.

    Returns
    -------
    Any
        In JSON's types, whether it was there or not.

    Raises
    ------
    RequestError
        The result is not of JSON's types, or too long.
    """
    question = json.dumps([name, list(images), asked, _versions()], sort_keys=True)
    digest = hashlib.sha256(question.encode()).hexdigest()
    path = archive.results / f"{digest[:40]}.json"
    note = read_note(path)
    if note is None:
        text = _as_json(analyse(), "the result")
        if len(text) > longest:
            raise RequestError(
                f"Remember: the result of {short_repr(name)} has {len(text)} characters as JSON, "
                f"more than {longest}: return numbers, not images."
            )
        note = {"result": json.loads(text)}
        write_note(path, note)
    return note["result"]


def described(code: Any, arguments: Any) -> list[Any]:
    """Describe a function of a composite test, and its arguments, in JSON's types.

    Raises
    ------
    RequestError
        It uses something, or an argument is, of other types.
    """
    return [_told(arguments, "an argument"), *_of_function(code)]


def remove_old(archive: Archive, days: int) -> None:
    """Remove results that are older than the sets that they were computed from."""
    for path in entries_older_than(archive.results, days * 24 * 3600):
        remove_file(path)


def _as_json(value: Any, what: str) -> str:
    try:
        # Numbers and arrays of numpy become lists and numbers.
        return json.dumps(value, allow_nan=False, default=lambda other: other.tolist())
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise RequestError(
            f"Remember: {what} is of {type(value).__name__}, which is not JSON ({error}): use "
            "finite numbers, texts, lists and dicts."
        ) from None


def _told(value: Any, what: str) -> Any:
    return json.loads(_as_json(value, what))


# --- what a function depends on ---------------------------------------------------------------


def _of_function(function: Any, seen: tuple[Any, ...] = ()) -> list[Any]:
    """Describe a function by its code, and by all that the code takes from outside."""
    if not isinstance(function, types.FunctionType):
        raise RequestError(
            f"Remember: {short_repr(function)} is no function of the composite test: define one "
            "with def, which takes the images."
        )
    code, seen = function.__code__, (*seen, function)
    outside = {n: function.__globals__[n] for n in _names(code) if n in function.__globals__}
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        outside[name] = cell.cell_contents
    defaults = [function.__defaults__ or (), function.__kwdefaults__ or {}]
    return [
        _of_code(code),
        _told(defaults, "a default"),
        {name: _of_value(name, value, seen) for name, value in sorted(outside.items())},
    ]


def _names(code: types.CodeType) -> Iterator[str]:
    """Yield the names that the code takes from outside; attributes have names too."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _names(const)


def _of_code(code: types.CodeType) -> list[Any]:
    consts = [
        _of_code(const) if isinstance(const, types.CodeType) else _of_const(const)
        for const in code.co_consts
    ]
    return [code.co_code.hex(), consts, list(code.co_names), list(code.co_varnames)]


def _of_const(const: Any) -> str:
    # The order of a set's texts differs from process to process.
    return repr(sorted(map(repr, const)) if isinstance(const, frozenset) else const)


def _of_value(name: str, value: Any, seen: tuple[Any, ...]) -> Any:
    if isinstance(value, types.ModuleType):
        return ["module", value.__name__]
    if isinstance(value, types.FunctionType) and value.__globals__ is seen[0].__globals__:
        return ["itself"] if value in seen else _of_function(value, seen)
    if callable(value) and isinstance(getattr(value, "__qualname__", None), str):
        return ["named", str(value.__module__), value.__qualname__]
    try:
        return _told(value, "")
    except RequestError:
        raise RequestError(
            f"Remember: the function uses {name!r}, of {type(value).__name__}, from outside: give "
            "it what it needs as arguments."
        ) from None


def _versions() -> Mapping[str, str]:
    loaded = {name: sys.modules.get(name) for name in BENEATH}
    found = {name: str(getattr(one, "__version__", "")) for name, one in loaded.items() if one}
    return {"python": sys.version, **found}
