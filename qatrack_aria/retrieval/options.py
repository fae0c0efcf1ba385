"""Define the options of a request, in one table.

The checks of a request, the arguments of ``fetch_aria``, the fields of **Browse** and its code for
composite tests are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Sequence

from qatrack_aria.retrieval.beam_names import parse_beam, parse_energy
from qatrack_aria.retrieval.option_values import (
    parse_count,
    parse_date,
    parse_flag,
    parse_kv,
    parse_optional_text,
    parse_pattern,
    parse_select,
    parse_series,
)


@dataclass(frozen=True)
class Option:
    """One option of a request.

    Attributes
    ----------
    name : str
        The keyword of ``fetch_images``, and the field of :class:`Request`.
    parse : callable
        Takes a value as it was given, and returns it checked; raises :class:`RequestError`.
    help : str
        The help text of the command.
    metavar : str
        The name of its value on the command line; empty for a flag.
    default : Any
        The value where none is given.
    of_day : bool
        Whether its value holds for one day only; code that fetches the newest images omits it.
    write : callable
        Takes the value, and returns it in JSON's types.
    flags : tuple of (str, Any, str)
        Flags of the command with their values and help texts, for an option without a metavar.
    """

    name: str
    parse: Callable[[Any], Any]
    help: str = ""
    metavar: str = ""
    default: Any = None
    of_day: bool = False
    write: Callable[[Any], Any] = lambda value: value
    flags: tuple[tuple[str, Any, str], ...] = ()

    def from_form(self, text: str) -> Any:
        """Return the value of a form field of the admin."""
        by_text = {str(value): value for _, value, _ in self.flags}
        return by_text.get(text, text)


#: In the order in which they are written and shown.
OPTIONS = (
    Option(
        "date",
        parse_date,
        "only images of this day, like 2026-11-22",
        "DAY",
        of_day=True,
        write=lambda day: day and day.isoformat(),
    ),
    Option(
        "count",
        parse_count,
        "an error if there are fewer images; 8-8 also if there are more",
        "N",
        of_day=True,
    ),
    Option(
        "machine",
        lambda value: parse_optional_text("machine", value),
        "only images of this machine",
        "NAME",
    ),
    Option(
        "course", lambda value: parse_optional_text("course", value), "course of the plan", "NAME"
    ),
    Option(
        "beam",
        parse_beam,
        "only images of this beam of the plan, by its name",
        "NAME",
        write=lambda beam: list(beam) if beam else None,
    ),
    Option(
        "energy",
        parse_energy,
        "only images of this energy: 6 (MV), 6X (flattened) or 6X-FFF",
        "ENERGY",
    ),
    Option(
        "series",
        parse_series,
        "only images of this series (Series Instance UID)",
        "UID",
        of_day=True,
    ),
    Option(
        "select",
        parse_select,
        "session (the newest; default), series (the newest), day (all of the newest) or all",
        "WHAT",
    ),
    Option(
        "kv",
        parse_kv,
        default=False,
        write=lambda kv: kv or None,
        flags=(("--kv", True, "kV images too"), ("--kv-only", "only", "kV images and no others")),
    ),
    Option(
        "unfinished",
        partial(parse_flag, "unfinished"),
        default=False,
        of_day=True,
        write=lambda unfinished: unfinished or None,
        flags=(("--unfinished", True, "also a session that may still be under way"),),
    ),
)

OF_ANY_SERIES = ("date", "count", "machine", "energy", "series", "select", "kv", "unfinished")
#: Of a series that refers to no plan, beside some of those above.
OF_SERIES = (
    Option(
        "planned_for",
        lambda value: parse_optional_text("plan label", value),
        "only the CT of this plan, which has its frame of reference",
        "PLAN",
    ),
    Option(
        "registered",
        partial(parse_flag, "registered"),
        default=False,
        write=lambda registered: registered or None,
        flags=(("--registered", True, "scans that a registration relates to the plan, too"),),
    ),
    *(
        Option(name, partial(parse_pattern, what), f"only of this {what} (* for any)", "TEXT")
        for name, what in (
            ("description", "series description"),
            ("protocol", "protocol name"),
            ("label", "RT Image label"),
        )
    ),
)
SERIES_OPTIONS = (
    *OF_SERIES,
    *(o for o in OPTIONS if o.name in OF_ANY_SERIES),
)


def parse_options(table: Sequence[Option], options: dict[str, Any]) -> dict[str, Any]:
    """Return the checked values of all options of a table.

    Raises
    ------
    TypeError
        An option is not in it.
    """
    values = {o.name: o.parse(options.pop(o.name, o.default)) for o in table}
    if options:
        raise TypeError(f"a request has no option {', '.join(map(repr, options))}")
    return values
