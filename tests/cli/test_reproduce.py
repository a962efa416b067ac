"""``flawspot reproduce`` as its users meet it."""

import json


def test_reproduce_costs(flawspot):
    code, out, _ = flawspot("reproduce", "costs", "--json")
    assert code == 0
    figures = json.loads(out)["figures"]
    assert len(figures) == 26
    assert {"paper", "computed", "honest", "difference_percent"} <= figures[0].keys()
    code, out, _ = flawspot("reproduce", "costs")
    assert code == 0
    assert "2410.11591" in out


def test_reproduce_costs_takes_only_detectors_of_the_table(tiny, flawspot):
    code, _, err = flawspot("reproduce", "costs", "--artifact", tiny)
    assert code == 1
    assert "is no PatchCore of the paper's table 3" in err
