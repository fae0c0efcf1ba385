"""The bars that the app is to clear, each measured against another in the same run."""

from __future__ import annotations

from typing import Iterator, Mapping, NamedTuple

from tools.benchmark import decoding, past, trials
from tools.benchmark.trials import Rows, of, of_peak
from tools.benchmark.world import Sizes

#: The medians of a group's rows, by name.
Medians = Mapping[str, float]


class Bar(NamedTuple):
    """One of them.

    Attributes
    ----------
    number : str
        By which one speaks of it.
    text : str
        What is compared.
    value, limit : float
        What was measured, and what it may or must be.
    at_most : bool
        Whether the limit is an upper one.
    unit : str
        "×", "ms" or "MB".
    """

    number: str
    text: str
    value: float
    limit: float
    at_most: bool
    unit: str = "×"

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def bars(groups: Mapping[str, Rows], sizes: Sizes) -> list[Bar]:
    """Those of the groups that were measured."""
    found: list[Bar] = []
    for name, of_group in _OF_GROUPS.items():
        if name in groups:
            medians = {row: samples.median for row, samples in groups[name].items()}
            found += of_group(medians, sizes)
    return sorted(found, key=lambda bar: bar.number)


def _history(of_: Medians, sizes: Sizes) -> Iterator[Bar]:
    short, long = sizes.history[0], sizes.history[-1]
    for letter, curve in (("a", trials.INDEX_NOTHING), ("b", trials.INDEX_ALL)):
        ratio = of_[of(long, curve)] / of_[of(short, curve)]
        yield Bar(f"1{letter}", f"{curve}: {long} series to {short}", ratio, 1.3, True)
    stored = sizes.stored[-1]
    plain = of_[of(stored, trials.PLAIN)]
    for letter, curve, limit in (
        ("a", trials.ORTHANC_NOTHING, 60),
        ("d", trials.ORTHANC_ALL, 30),
    ):
        text = f"{stored} series: one C-FIND per series, to {curve}"
        yield Bar(f"2{letter}", text, plain / of_[of(stored, curve)], limit, False)
    again = 1000 * of_[of(stored, trials.ORTHANC_NOTHING)]
    yield Bar("2e", f"{trials.ORTHANC_NOTHING}, {stored} series", again, 250, True, "ms")
    for letter, series in (("b", stored), ("c", sizes.stored[0])):
        findscu = min(of_[of(series, c)] for c in (trials.FINDSCU, trials.FINDSCU_AT_ONCE))
        ratio = of_[of(series, trials.ORTHANC_NOTHING)] / findscu
        text = f"{series} series: our fetch, nothing to move, to the faster findscu"
        yield Bar(f"2{letter}", text, ratio, 1.3, True)


def _past(of_: Medians, sizes: Sizes) -> Iterator[Bar]:
    for letter, what, limit in (
        ("a", past.FIRST, 1.2),
        ("b", past.AGAIN, 0.1),
        ("c", past.ONE_MORE, 0.1),
    ):
        for days in sizes.past:
            ratio = of_[past.at(days, what)] / of_[past.at(days, past.PLAIN)]
            text = f"{past.at(days, what)}, to {past.PLAIN}"
            yield Bar(f"9{letter}", text, ratio, limit, True)


def _transfer(of_: Medians, sizes: Sizes) -> Iterator[Bar]:
    get, move = of_[trials.OURS_GET], of_[trials.OURS_MOVE]
    reference = of_[trials.GETSCU_AT_ONCE]
    scripted = of_[trials.FIND_AND_MOVE]
    yield Bar("3a", "our fetch by C-GET to getscu, TCP_NODELAY=1", get / reference, 1.0, True)
    yield Bar("3b", "our fetch by C-MOVE to getscu, TCP_NODELAY=1", move / reference, 1.3, True)
    yield Bar("3c", "findscu, movescu --port to our fetch by C-MOVE", scripted / move, 5, False)


def _receiving(of_: Medians, sizes: Sizes) -> Iterator[Bar]:
    slow = of_[trials.OUR_RECEIVER] / of_[trials.STORESCP]
    fastest = max(of_[trials.STORESCP_AT_ONCE], of_[trials.STORESCP_ALL_AT_ONCE])
    fast = of_[trials.OUR_RECEIVER_AT_ONCE] / fastest
    yield Bar("4a", "MB/s of our receiver to those of storescp", slow, 3, False)
    text = "the same, TCP_NODELAY=1 at the sender, and at storescp where it is faster so"
    yield Bar("4b", text, fast, 0.3, False)


def _again(of_: Medians, sizes: Sizes) -> Iterator[Bar]:
    yield Bar("5a", trials.REPEATED, of_[trials.REPEATED], 5, True, "ms")
    yield Bar("5b", f"{trials.PAST}, Orthanc, one series", of_[trials.PAST], 60, True, "ms")


def _memory(of_: Medians, sizes: Sizes) -> Iterator[Bar]:
    for letter, method in zip("ab", sizes.weighed):
        many, few = (of_[of_peak(method, n, "of 64 × 64")] for n in (sizes.many, sizes.few))
        text = f"{method}: peak memory of {sizes.many} images above that of {sizes.few}"
        yield Bar(f"6{letter}", text, many - few, 10, True, "MB")


def _importing(of_: Medians, sizes: Sizes) -> Iterator[Bar]:
    added = of_[trials.IMPORTED] - of_[trials.BARE]
    yield Bar("7", "import qatrack_aria above bare Python", added, 10, True, "ms")


def _decoding(of_: Medians, sizes: Sizes) -> Iterator[Bar]:
    ratio = of_[decoding.BY_US] / of_[decoding.BY_PYDICOM]
    yield Bar("8", "one answer decoded by us to pydicom's decoding of it", ratio, 0.35, True)


_OF_GROUPS = {
    "transfer": _transfer,
    "history": _history,
    "past": _past,
    "receiving": _receiving,
    "again": _again,
    "memory": _memory,
    "import": _importing,
    "decoding": _decoding,
}
