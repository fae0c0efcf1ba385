"""The behaviour of the simulated DB Service: a switch for each one reported of a real service."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Callable, Iterable

from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Behaviour:
    """Switches; the defaults are an ARIA that supports relational queries, with SeriesDate empty.

    Attributes
    ----------
    relational : bool
        ARIA answers queries and moves without the UIDs of the levels above. False: it refuses
        them with 0xC000, as ``dcmqrscp`` does; in Patient Root the Patient ID is an upper key.
    patient_root : bool
        Patient Root is offered beside Study Root (ARIA was seen to for C-FIND). False: Study Root
        only.
    c_get : bool
        C-GET is offered. Whether ARIA does is unknown: all known clients use C-MOVE.
    trusted_only : bool
        ARIA associates only with its trusted application entities: here, the AE titles in `peers`.
    uid_lists : bool
        A C-MOVE or C-GET may list several UIDs (unknown for ARIA). False: refused with 0xA900.
    uid_list_success : bool
        A list of UIDs is answered with Success, but no image is sent.
    empty_series_date : bool
        SeriesDate is returned empty at SERIES level, and matches nothing there.
    counts : bool
        The numbers of series and instances of a study, and of instances of a series, are returned
        (optional in the standard; unknown for ARIA).
    ignored_keys : frozenset of str
        Keywords that do not narrow a query, although they are returned.
    refused_keys : frozenset of str
        Keywords that, with a value, make a query fail with 0xA900.
    empty_keys : frozenset of str
        Keywords that, with a value, make a query find nothing.
    empty_return_keys : frozenset of str
        Keywords that make a query find nothing even as return keys.
    unreturned_keys : frozenset of str
        Keywords that are never in an answer.
    exact_label_limit : int or None
        RT Plan Labels of more characters (about twelve by one site's report) are not found by exact
        match.
    exact_patient_limit : int or None
        Patient IDs of more characters (16) are not found by exact match, though by wildcard.
    answer_limit : int or None
        A C-FIND stops after that number of answers, with 0xB001.
    find_failures : int
        Number of C-FINDs that find nothing at first (a lock during treatment?).
    short_from : int or None
        From that C-FIND on, counted from 1, one answer is left out, once, with Success.
    short_every : int or None
        Each so many-th C-FIND leaves an answer out.
    short_percent : int
        The chance in percent of each C-FIND to leave an answer out.
    short_answer : str
        The answer that is left out: ``"first"``, ``"last"``, ``"random"``, or the one with that
        unique key (at IMAGE level the SOP Instance UID); without it among them nothing is left out.
    short_level : str or None
        Only C-FINDs of that level count for a short list.
    short_keys : frozenset of str
        Only C-FINDs that have values of these keywords count for a short list.
    short_seed : int
        The seed of what is random about short lists.
    on_answer : callable or None
        Takes the number of a C-FIND (from 1), its identifier and the list of its answers, and
        returns the answers that are sent instead.
    late_from : int or None
        From that C-FIND on, counted from 1, the late change has taken place.
    appearing : frozenset of str
        SOP Instance UIDs that are held only after the late change.
    vanishing : frozenset of str
        SOP Instance UIDs that are held only before the late change.
    corrected : frozenset of str
        Attributes that the late change corrects, as ``<SOP Instance UID>:<keyword>=<value>``.
    busy_calls : int
        Number of associations that are rejected as too many at first.
    unmovable : frozenset of str
        SOP or Series Instance UIDs that are listed, but whose sub-operations fail.
    silent_losses : frozenset of str
        SOP Instance UIDs that are counted as completed, but not sent.
    pending_responses : bool
        C-MOVE and C-GET report their progress (optional in the standard).
    duplicates : bool
        Each instance is sent twice.
    after_final : bool
        The instances of a C-MOVE are sent only after its final response.
    extra : tuple of Dataset
        Instances that are sent with every C-MOVE and C-GET, without request and not counted.
    on_send : callable or None
        Takes a copy of each instance just before it is sent, and returns what is sent instead.
    store_ae_title : str or None
        The calling AE title of the C-STOREs; by default the simulator's own.
    abort_after : int or None
        The association of a C-MOVE or C-GET is aborted after that number of sub-operations.
    final_status : int or None
        The final status of every C-MOVE and C-GET that was not refused, instead of the right one.
    """

    relational: bool = True
    patient_root: bool = True
    c_get: bool = True
    trusted_only: bool = True
    uid_lists: bool = True
    uid_list_success: bool = False
    empty_series_date: bool = True
    counts: bool = False
    ignored_keys: frozenset[str] = frozenset()
    refused_keys: frozenset[str] = frozenset()
    empty_keys: frozenset[str] = frozenset()
    empty_return_keys: frozenset[str] = frozenset()
    unreturned_keys: frozenset[str] = frozenset()
    exact_label_limit: int | None = None
    exact_patient_limit: int | None = None
    answer_limit: int | None = None
    find_failures: int = 0
    short_from: int | None = None
    short_every: int | None = None
    short_percent: int = 0
    short_answer: str = "random"
    short_level: str | None = None
    short_keys: frozenset[str] = frozenset()
    short_seed: int = 0
    on_answer: Callable[[int, Dataset, list[Dataset]], Iterable[Dataset]] | None = None
    late_from: int | None = None
    appearing: frozenset[str] = frozenset()
    vanishing: frozenset[str] = frozenset()
    corrected: frozenset[str] = frozenset()
    busy_calls: int = 0
    unmovable: frozenset[str] = frozenset()
    silent_losses: frozenset[str] = frozenset()
    pending_responses: bool = True
    duplicates: bool = False
    after_final: bool = False
    extra: tuple[Dataset, ...] = ()
    on_send: Callable[[Dataset], Dataset] | None = None
    store_ae_title: str | None = None
    abort_after: int | None = None
    final_status: int | None = None

    @classmethod
    def from_options(cls, options: Iterable[str]) -> Behaviour:
        """Read switches in the form of the command line.

        Parameters
        ----------
        options : iterable of str
            ``"name"`` for True, or ``"name=value"``: true or false, a number (also ``0xB000``), a
            word, or keywords, UIDs or corrections between commas.

        Returns
        -------
        Behaviour
            The behaviour with these switches set.

        Raises
        ------
        ValueError
            If a name or a value is not known.
        """
        readers = {field.name: _READERS.get(str(field.type)) for field in dataclasses.fields(cls)}
        switches: dict[str, Any] = {}
        for option in options:
            name, _, text = option.partition("=")
            reader = readers.get(name)
            if reader is None:
                known = ", ".join(name for name, reader in readers.items() if reader)
                raise ValueError(f"unknown behaviour {name!r}; known are: {known}")
            try:
                switches[name] = reader(text)
            except ValueError:
                raise ValueError(f"behaviour {name!r} does not take the value {text!r}") from None
        return cls(**switches)


def _bool(text: str) -> bool:
    try:
        return {"": True, "true": True, "false": False}[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def _int(text: str) -> int:
    return int(text, 0)


def _str(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _set(text: str) -> frozenset[str]:
    return frozenset(_str(text).split(","))


# By the field's annotation. `extra`, `on_answer` and `on_send` can be set in Python only.
_READERS: dict[str, Callable[[str], Any]] = {
    "bool": _bool,
    "int": _int,
    "str": _str,
    "int | None": _int,
    "str | None": _str,
    "frozenset[str]": _set,
}
