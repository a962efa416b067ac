"""The notebooks of ``examples``: they are small and plain, every cell runs, and shows what is kept."""

import base64
import io
import json
import re
from pathlib import Path

import pytest
from notebooks.executing import bundle, executed
from notebooks.keeping import differences, read, same_text, write
from PIL import Image

from flawspot.backbones.registry import family
from flawspot.backbones.weights import find

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_is_stored_small_and_plain(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < 400_000
    write(read(path), tmp_path / path.name)
    assert text == (tmp_path / path.name).read_text(encoding="utf-8")  # no counts, identifiers or metadata of an editor
    words = re.sub(r'"image/\w+": "[^"]+"', "", text)
    assert not re.search(r"/home/|/Users/|/tmp/|C:\\|at 0x|20\d\d-\d\d|\d\d:\d\d", words)
    assert not re.search(r"(?:^|[^\w.])/\w+/", words)  # any other absolute path
    for place in re.findall(r"\]\(([^)#]+)\)", words):
        assert (EXAMPLES / place).exists(), place


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.skipif(
    find("mobilenet_v2", family("mobilenet_v2").weights) is None, reason="flawspot weights pull mobilenet_v2"
)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_shows_what_is_kept(path, tmp_path):
    """If this fails because flawspot is better now: make notebooks, and read them."""
    kept = read(path)
    assert any(cell.get("outputs") for cell in kept["cells"])
    assert differences(kept, executed(kept, path.name, tmp_path)) == []


def notebook(*sources):
    return {"cells": [{"cell_type": "code", "source": source, "outputs": []} for source in sources]}


def outputs(tmp_path, *sources):
    return [cell["outputs"] for cell in executed(notebook(*sources), "a.ipynb", tmp_path)["cells"]]


def test_cells_share_their_names_and_show_their_last_value(tmp_path):
    first, second = outputs(tmp_path, "x = 4\nprint(x)\n", "x += 1\nx")
    assert first == [{"output_type": "stream", "name": "stdout", "text": ["4\n"]}]
    assert second == [
        {"output_type": "execute_result", "execution_count": None, "data": {"text/plain": ["5"]}, "metadata": {}}
    ]


def test_what_is_shown_stays_in_order(tmp_path):
    (shown,) = outputs(tmp_path, "print(1)\ndisplay(2)\nprint(3)\nNone")
    assert [one["output_type"] for one in shown] == ["stream", "display_data", "stream"]


def test_an_open_figure_is_shown(tmp_path):
    pytest.importorskip("matplotlib")
    (shown,) = outputs(tmp_path, "import matplotlib.pyplot as plt\nplt.subplots()\nNone")
    assert "image/png" in shown[0]["data"]
    assert outputs(tmp_path, "1")[0][0]["data"] == {"text/plain": ["1"]}  # it is closed


def test_a_cell_works_in_its_folder_and_its_error_names_it(tmp_path):
    outputs(tmp_path, "open('here', 'w').close()")
    assert (tmp_path / "here").exists()
    with pytest.raises(ZeroDivisionError) as error:
        outputs(tmp_path, "1", "1 / 0")
    assert "a.ipynb, cell 2" in str(error.traceback[-1].path)


def test_values_are_shown_as_text_html_or_the_smaller_picture():
    class Html:
        def _repr_html_(self):
            return "<b>x</b>"

    shown = bundle(Html())
    assert shown["text/html"] == ["<b>x</b>"]
    assert " at 0x" not in shown["text/plain"][0]
    plain, noisy = Image.new("RGB", (99, 99)), Image.effect_noise((99, 99), 90).convert("RGB")
    assert {"image/png"} < set(bundle(plain))
    data = bundle(noisy)
    assert Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"]))).size == (99, 99)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("8 of 20 found", "9 of  20 found", True),
        ("8 of 20 found", "10 of 20 found", False),
        ("rate 1.00", "rate 1.04", True),
        ("rate 0.90", "rate 0.80", False),
        ("1,000 bytes", "1,040 bytes", True),
        ("8 good", "8 bad", False),
    ],
)
def test_words_are_compared_and_numbers_almost(one, other, same):
    assert same_text(one, other) is same


def test_differences_are_told(tmp_path):
    kept = executed(notebook("print('good')", "1"), "a", tmp_path)
    assert differences(kept, kept) == []
    (told,) = differences(kept, executed(notebook("print('bad')", "1"), "a", tmp_path))
    assert told.startswith("cell 1:\nbad")
    (told,) = differences(kept, executed(notebook("print('good')", "1;\nNone"), "a", tmp_path))
    assert told == "cell 2 shows [], not ['text/plain']"


def test_what_an_editor_adds_is_left_out(tmp_path):
    cell = {"cell_type": "code", "source": "1\n2", "outputs": [], "id": "9f", "metadata": {"tags": []}}
    write({"cells": [cell | {"execution_count": 7}], "metadata": {"kernelspec": {"name": "mine"}}}, tmp_path / "a")
    stored = json.loads((tmp_path / "a").read_text(encoding="utf-8"))
    assert stored["cells"][0] == {
        "cell_type": "code",
        "execution_count": None,
        "id": "cell-01",
        "metadata": {},
        "outputs": [],
        "source": ["1\n", "2"],
    }
    assert stored["metadata"]["kernelspec"]["name"] == "python3"
