"""Whatever goes wrong between us and the server: the right set, or an error that says why.

Here a part of it; all of it, some minutes: ``python -m tools.faults``.
"""

from __future__ import annotations

import pytest

from tools.faults.results import ANSWERS, MESSAGES
from tools.faults.summary import walk

#: A prime number, so that no kind of fault or boundary is passed over in step.
EVERY = 17


@pytest.mark.timeout(300)
def test_no_fault_of_a_peer_leads_to_a_wrong_or_partial_set_or_an_unnamed_error(print_at_end):
    tally = walk(EVERY, part=MESSAGES)
    print_at_end(str(tally))
    assert tally.tried > 50
    assert not tally.bad, "\n".join(str(result) for result in tally.bad)


@pytest.mark.timeout(300)
def test_no_short_list_or_late_change_of_mind_leads_to_a_wrong_or_partial_set(print_at_end):
    tally = walk(EVERY, part=ANSWERS)
    print_at_end(str(tally))
    assert tally.tried > 15
    assert not tally.bad, "\n".join(str(result) for result in tally.bad)
