"""Tokens, as a person at a terminal gives them and takes them away."""

import json

from flawspot.serve.tokens import Person, Role, Tokens


def test_the_life_of_a_token(tmp_path, flawspot):
    folder = tmp_path / "line 1"
    code, out, err = flawspot("tokens", "add", folder, "--role", "operator", "--name", "anna")
    assert code == 0
    assert "shown only once" in err
    tokens = Tokens(folder / "tokens.json")
    assert tokens.person(out.strip()) == Person("anna", Role.OPERATOR)
    code, shown, _ = flawspot("tokens", "add", folder, "--role", "engineer", "--name", "bert", "--json")
    assert tokens.person(json.loads(shown)["token"]) == Person("bert", Role.ENGINEER)
    code, shown, _ = flawspot("tokens", "list", folder)
    assert [line.split()[::2] for line in shown.splitlines()] == [["operator", "anna"], ["engineer", "bert"]]
    assert flawspot("tokens", "remove", folder, "--name", "anna") == (0, "the token of anna is removed\n", "")
    assert tokens.person(out.strip()) is None
    code, shown, _ = flawspot("tokens", "list", folder, "--json")
    assert [each["name"] for each in json.loads(shown)["tokens"]] == ["bert"]
    assert json.loads(flawspot("tokens", "remove", folder, "--name", "bert", "--json")[1]) == {"removed": "bert"}
    assert "has no tokens" in flawspot("tokens", "list", folder)[2]


def test_mistakes(tmp_path, flawspot):
    (tmp_path / "file").write_bytes(b"")
    for arguments in (
        ["list", tmp_path / "none"],
        ["list", tmp_path / "file"],
        ["add", tmp_path / "file", "--role", "viewer", "--name", "anna"],
        ["remove", tmp_path, "--name", "anna"],
        ["add", tmp_path, "--role", "viewer", "--name", "\x1b[2J"],
    ):
        code, out, err = flawspot("tokens", *arguments)
        assert (code, out) == (1, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "\x1b" not in err
    assert flawspot("tokens", "add", tmp_path, "--role", "king", "--name", "anna")[0] == 2
