"""What `make release` refuses, and what it compares; the whole of it takes too long for the suite."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(scope="module")
def tool():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("make_release", ROOT / "release" / "make_release.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # for its dataclasses
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def repository(tmp_path):
    """A project of one commit, made at a known time; ``repository("tag", "v1")`` runs git in it."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1.2.3"\n[project.optional-dependencies]\ntrain = []\nsign = []\ndev = []\n'
    )
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")

    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@x.example", "-c", "commit.gpgsign=false"]
        when = {"GIT_COMMITTER_DATE": "1700000000 +0000", "GIT_AUTHOR_DATE": "1700000000 +0000"}
        alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(tmp_path)}
        subprocess.run(
            ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, env={**os.environ, **when, **alone}
        )

    git.folder = folder
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    return git


def test_the_commit_s_time_is_that_of_what_is_built(tool, repository):
    repository("tag", "v1.2.3")
    commit = tool.last_commit(repository.folder)
    assert (commit.seconds, commit.tags) == (1700000000, ("v1.2.3",))


def test_what_no_commit_has_is_refused(tool, repository):
    (repository.folder / "new.py").write_text("")
    with pytest.raises(tool.ReleaseError, match=r"new\.py: commit it first"):
        tool.last_commit(repository.folder)


def test_what_is_no_repository_is_refused(tool, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(tool.ReleaseError, match="in a git repository"):
        tool.last_commit(tmp_path)


def test_the_commit_is_laid_out_and_nothing_else(tool, repository, tmp_path):
    (repository.folder / ".git" / "info" / "exclude").write_text("ignored\n")
    (repository.folder / "ignored").write_text("")
    tool.export(repository.folder, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["CHANGELOG.md", "pyproject.toml"]


def test_versions_tags_and_the_changelog_say_the_same(tool, repository, capsys):
    folder, commit = repository.folder, tool.Commit("a", 0)
    assert tool.check_version(folder, commit) == "1.2.3"
    assert "a rehearsal" in capsys.readouterr().out
    with pytest.raises(tool.ReleaseError, match=r"tagged v1\.2\.4, and pyproject\.toml says 1\.2\.3"):
        tool.check_version(folder, tool.Commit("a", 0, ("v1.2.4",)))
    tagged = tool.Commit("a", 0, ("v1.2.3", "older"))
    with pytest.raises(tool.ReleaseError, match=r"no section \[1\.2\.3\]"):
        tool.check_version(folder, tagged)
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## [1.2.3] - 2026-12-01\n")
    assert tool.check_version(folder, tagged) == "1.2.3"
    (folder / "pyproject.toml").write_text('[project]\nversion = "1.2"\n')
    with pytest.raises(tool.ReleaseError, match=r"MAJOR\.MINOR\.PATCH"):
        tool.check_version(folder, commit)


def test_extras_that_are_shipped(tool, repository):
    assert tool.extras(repository.folder) == ["train", "sign"]
    assert "train" in tool.extras(ROOT)
    assert "docs" not in tool.extras(ROOT)  # the site is made from the sources


def test_other_bits_are_found(tool, tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.whl").write_bytes(b"same")
    tool.check_same(tmp_path / "one", tmp_path / "other")
    (tmp_path / "other" / "x.whl").write_bytes(b"some")
    with pytest.raises(tool.ReleaseError, match=r"x\.whl has other bits"):
        tool.check_same(tmp_path / "one", tmp_path / "other")
    (tmp_path / "other" / "x.whl").unlink()
    with pytest.raises(tool.ReleaseError, match=r"x\.whl has other bits"):
        tool.check_same(tmp_path / "one", tmp_path / "other")
    (tmp_path / "one" / "x.whl").unlink()
    with pytest.raises(tool.ReleaseError, match="nothing was built"):
        tool.check_same(tmp_path / "one", tmp_path / "other")


def test_a_folder_of_other_things_is_not_replaced(tool, tmp_path):
    tool.check_replaceable(tmp_path / "not there")
    (tmp_path / "flawspot-0.1.0.tar.gz").write_bytes(b"")
    (tmp_path / "SHA256SUMS").write_bytes(b"")
    tool.check_replaceable(tmp_path)
    (tmp_path / "thesis.tex").write_bytes(b"")
    with pytest.raises(tool.ReleaseError, match=r"thesis\.tex, which is of no release"):
        tool.check_replaceable(tmp_path)


def test_what_fails_is_told_with_its_last_words(tool, tmp_path):
    with pytest.raises(tool.ReleaseError, match=r"(?s)this failed: .*why"):
        tool._run([sys.executable, "-c", "import sys; sys.exit('why')"], cwd=tmp_path)
