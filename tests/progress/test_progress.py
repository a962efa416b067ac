"""What long work reports to, and what it costs those who do not look."""

import subprocess
import sys

import pytest

from flawspot.errors import ConfigurationError
from flawspot.progress import SILENT, Silent, as_progress, duration, length_of
from flawspot.progress.display import Display


def test_true_shows_false_is_silent_and_a_progress_is_itself():
    mine = Silent()
    assert as_progress(mine) is mine
    assert as_progress(False) is SILENT
    assert isinstance(as_progress(True), Display)


@pytest.mark.parametrize("wrong", [print, None, 1, "yes", Silent])
def test_what_is_no_progress(wrong):
    with pytest.raises(ConfigurationError, match="True, False or an object with track, step and note"):
        as_progress(wrong)


def test_silence_yields_everything(capsys):
    assert list(SILENT.track([1, 2], "counting")) == [1, 2]
    with SILENT.step("waiting"):
        SILENT.note("unheard")
    assert capsys.readouterr() == ("", "")


def test_lengths():
    assert length_of([1, 2]) == 2
    assert length_of(iter([1, 2])) is None


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (35.2, "35 s"), (89, "89 s"), (90, "2 min"), (720, "12 min"), (5400, "1.5 h")]
)
def test_times_as_people_say_them(seconds, said):
    assert duration(seconds) == said


def test_only_who_looks_imports_rich():
    code = "import sys, flawspot.progress as p; p.as_progress(False); print('rich' in sys.modules); p.as_progress(True)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
