"""Tokens: who holds one is known, whose was removed is nobody at once, and a damaged file lets nobody in."""

import json
import os
import stat
import threading

import pytest

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.serve.tokens import Person, Role, Tokens, TokensError


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path / "tokens.json")


def test_roles_have_an_order():
    assert Role.VIEWER < Role.OPERATOR < Role.ENGINEER
    assert Role.ENGINEER >= Role.ENGINEER > Role.OPERATOR
    with pytest.raises(TypeError):
        assert Role.VIEWER < "operator"


def test_who_holds_a_token(tokens):
    anna, bert = tokens.add("anna", Role.OPERATOR), tokens.add("bert", Role.ENGINEER)
    assert tokens.person(anna) == Person("anna", Role.OPERATOR)
    assert tokens.person(bert) == Person("bert", Role.ENGINEER)
    for other in ("", anna[:-1], anna + "a", anna.lower(), "anna", "ü", "\udcff", "a" * 100_000):
        assert tokens.person(other) is None
    assert [person.name for person, _ in tokens.people()] == ["anna", "bert"]


def test_the_token_itself_is_kept_nowhere(tokens, tmp_path):
    token = tokens.add("anna", Role.VIEWER)
    assert len(token) == 43
    assert token != tokens.add("bert", Role.VIEWER)
    for path in tmp_path.iterdir():
        assert token not in path.read_text(encoding="utf-8")
    (first, _) = json.loads(tokens.path.read_text(encoding="utf-8"))["tokens"]
    assert tokens.person(first["sha256"]) is None  # who reads the file has no token


@pytest.mark.skipif(os.name == "nt", reason="rights are others there")
def test_the_file_is_its_owner_s(tokens):
    tokens.add("anna", Role.VIEWER)
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600


def test_a_removed_token_ends_at_once(tokens):
    anna, bert = tokens.add("anna", Role.OPERATOR), tokens.add("bert", Role.OPERATOR)
    assert tokens.person(anna) is not None
    other = Tokens(tokens.path)  # as the command line is, beside a station
    other.remove("anna")
    assert tokens.person(anna) is None
    assert tokens.person(bert) is not None
    again = other.add("anna", Role.VIEWER)
    assert tokens.person(again) == Person("anna", Role.VIEWER)
    assert tokens.person(anna) is None
    tokens.path.unlink()
    assert tokens.person(bert) is None


def test_many_at_once_undo_nothing(tokens):
    def add(index):
        Tokens(tokens.path).add(f"person {index}", Role.VIEWER)

    threads = [threading.Thread(target=add, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens.people()) == 8


@pytest.mark.parametrize("name", ["", " ", " anna", "an\nna", "\x1b[2J", "a" * 61, "\udcff"])
def test_no_names(name, tokens):
    with pytest.raises(ConfigurationError, match="cannot name a token"):
        tokens.add(name, Role.VIEWER)
    assert not tokens.path.exists()


def test_names_that_are_taken_or_unknown(tokens):
    tokens.add("anna", Role.VIEWER)
    with pytest.raises(ConfigurationError, match="has a token of anna already"):
        tokens.add("anna", Role.ENGINEER)
    with pytest.raises(ConfigurationError, match="has no token of bert"):
        tokens.remove("bert")
    assert len(tokens.people()) == 1


ENTRY = {"name": "x", "role": "engineer", "sha256": "0" * 64, "added": "2026-01-01T00:00:00.000000Z"}
DAMAGED = [
    "",
    "{",
    "[]",
    "null",
    "[" * 100_000,
    " " * 2**20 + "{}",
    "{}",
    '{"version": 2, "tokens": []}',
    '{"version": 1, "tokens": null}',
    *(
        json.dumps({"version": 1, "tokens": tokens})
        for tokens in (
            [1],
            [[]],
            [{**ENTRY, "role": "king"}],
            [{**ENTRY, "role": []}],
            [{**ENTRY, "sha256": "0"}],
            [{**ENTRY, "sha256": None}],
            [{**ENTRY, "name": 1}],
            [{**ENTRY, "name": ""}],
            [ENTRY, ENTRY],
            [{"name": "x"}],
        )
    ),
]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_lets_nobody_in(content, tokens):
    anna = tokens.add("anna", Role.ENGINEER)
    whole = tokens.path.read_text(encoding="utf-8")
    assert tokens.person(anna) is not None
    tokens.path.write_text(content, encoding="utf-8")
    for _ in range(2):  # and not only the first time
        with pytest.raises(TokensError, match="nobody gets in"):
            tokens.person(anna)
    with pytest.raises(TokensError):
        tokens.add("bert", Role.VIEWER)
    with pytest.raises(TokensError):
        tokens.remove("anna")
    assert tokens.path.read_text(encoding="utf-8") == content
    tokens.path.write_text(whole, encoding="utf-8")
    assert tokens.person(anna) is not None


def test_what_is_no_file_lets_nobody_in(tokens):
    tokens.path.mkdir()
    with pytest.raises(TokensError, match="is not a file"):
        tokens.person("x")


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FlawspotError, match="cannot write"):
        Tokens(tmp_path / "file" / "tokens.json").add("anna", Role.VIEWER)
