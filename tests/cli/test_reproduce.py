"""``flawspot reproduce`` as its users meet it."""

import json

import pytest


@pytest.mark.slow
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


def test_reproduce_claims(store, flawspot, tmp_path):
    code, out, _ = flawspot("reproduce", "claims", store, "--json")
    assert code == 0
    claims = json.loads(out)["claims"]
    assert len(claims) > 30
    assert {claim["verdict"] for claim in claims} == {"cannot be said"}
    assert all(claim["reason"] and claim["rule"] and claim["parts"] for claim in claims)
    written = tmp_path / "new" / "claims.md"
    code, out, _ = flawspot("reproduce", "claims", store, "--markdown", written)
    assert code == 0
    assert "cannot be said  PaSTe is as accurate as STFPM  (5.3)" in out
    assert f"holds: 0, does not hold: 0, cannot be said: {len(claims)}" in out
    assert out.endswith(f"{written}\n")
    assert "| PaSTe is as accurate as STFPM | – | cannot be said" in written.read_text(encoding="utf-8")


def test_the_store_is_not_written_over(store, flawspot, tmp_path):
    before = store.read_bytes()
    for given, said in ((store, "give it the suffix .md"), (tmp_path / "new.txt", "give it the suffix .md")):
        code, _, err = flawspot("reproduce", "claims", store, "--markdown", given)
        assert code == 1
        assert said in err
    link = tmp_path / "link.md"
    link.hardlink_to(store)
    code, _, err = flawspot("reproduce", "claims", store, "--markdown", link)
    assert code == 1
    assert "is an input of this command" in err
    assert store.read_bytes() == before


def test_reproduce_claims_of_what_is_not_there(store, flawspot, tmp_path):
    code, _, err = flawspot("reproduce", "claims", store, "--data", "btad")
    assert code == 1
    assert "no run is of a data set 'btad'" in err
    assert flawspot("reproduce", "claims", tmp_path / "none.sqlite")[0] == 1
