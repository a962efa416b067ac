"""The grid: what a YAML file stands for, and what is said of a wrong one."""

from dataclasses import replace

import pytest

from flawspot.benchmark.grid import Vocabulary
from flawspot.benchmark.grid_file import grid_file, read_grid
from flawspot.benchmark.record import Cell, run_key
from flawspot.costs.tables import paper_settings, paper_tables
from flawspot.errors import ConfigurationError

PLAIN = """\
data:
  - name: parts
    layout: mvtec_ad
    path: parts
    categories: [a, b]
backbones: [mobilenet_v2, mcunet_in3]
layers: [low, equiv]
methods:
  - padim
  - name: paste
    label: PaSTe, short
    settings: {epochs: 5, learning_rate: 1e-1}
    layers: [paste]
"""


def known(check=lambda cell: None):
    return Vocabulary(
        ("mobilenet_v2", "mcunet_in3", "phinet"),
        {"padim": ("channels",), "paste": ("epochs", "learning_rate", "recipe")},
        ("blur", "noise"),
        check,
    )


@pytest.fixture
def grid(tmp_path):
    """Read a grid from text."""

    def read(text, check=lambda cell: None):
        path = tmp_path / "a grid.yaml"
        path.write_text(text, encoding="utf-8")
        return read_grid(path, known(check))

    return read


def test_everything_is_crossed_with_everything(grid, tmp_path):
    found = grid(PLAIN)
    cells = found.cells(known())
    assert len(cells) == 2 * 2 * (2 + 1)
    assert {(c.layers, c.label) for c in cells} == {("low", "padim"), ("equiv", "padim"), ("paste", "PaSTe, short")}
    assert cells[2].settings == {"epochs": 5, "learning_rate": 0.1}
    assert found.data[0].path == tmp_path / "parts"
    # What shares features comes together.
    assert [(c.category, c.backbone) for c in cells] == sorted(
        [(c.category, c.backbone) for c in cells], key=lambda pair: (pair[0], pair[1] == "mcunet_in3")
    )


def test_a_recipe_reaches_the_methods_that_have_one(grid):
    cells = grid(PLAIN + "recipe: fast\n").cells(known())
    assert {c.method: c.settings.get("recipe") for c in cells} == {"padim": None, "paste": "fast"}


def test_precisions_are_crossed_and_a_rule_may_look_at_them(grid):
    assert {cell.precision for cell in grid(PLAIN).cells(known())} == {"float32"}
    text = PLAIN + "precision: [float32, int8]\nexclude:\n  - {method: padim, precision: int8}\n"
    cells = grid(text).cells(known())
    assert {(cell.method, cell.precision) for cell in cells} == {
        ("padim", "float32"),
        ("paste", "float32"),
        ("paste", "int8"),
    }
    with pytest.raises(ConfigurationError, match=r"line 14.*int4.*float32, int8"):
        grid(PLAIN + "precision: int4\n")


def test_every_detector_is_there_with_and_without_a_tolerance(grid):
    axes = "corruptions: [none, blur]\nseverities: [1, 3]\n"
    cells = grid(PLAIN + axes + "tolerate: [none, line, 'shift=1,noise=2']\n").cells(known())
    assert len(cells) == 12 * 3 * 3
    of_one = [(c.tolerate, c.corruption, c.severity) for c in cells[: len(cells) // 4] if c.method == "paste"]
    assert set(of_one) == {
        (tolerate, *tested)
        for tolerate in (None, "line", "noise=2,shift=1")  # in one form, however they were written
        for tested in ((None, 0), ("blur", 1), ("blur", 3))
    }
    rule = "tolerate: [none, 'noise=2']\nexclude:\n  - {tolerate: noise=2.0, method: paste}\n"
    assert {(c.method, c.tolerate) for c in grid(PLAIN + rule).cells(known())} == {
        ("padim", None),
        ("paste", None),
        ("padim", "noise=2"),
    }


def test_runs_without_a_tolerance_are_what_they_were_before_there_was_one():
    cell = Cell(
        data="parts",
        category="a",
        backbone="mobilenet_v2",
        layers="low",
        method="padim",
        label="padim",
        settings={"channels": 50},
        seed=3,
        corruption="blur",
        severity=2,
    )
    key = run_key(cell, data_fingerprint="d", weights_sha256="w", code_version="v")
    assert key == "07b46c1be0fe61ed4ccebe27feef4130f71f83ec431c3faa1b39625b8d4d4a28"
    tolerant = replace(cell, tolerate="line")
    assert tolerant.identity != cell.identity
    assert run_key(tolerant, data_fingerprint="d", weights_sha256="w", code_version="v") != key
    assert (cell.variation, tolerant.variation) == ("blur 2", "blur 2, tolerates line")


def test_axes_depart_from_the_plain_cell_one_at_a_time(grid):
    axes = "corruptions: [none, blur]\nseverities: [1, 3]\ncontamination: [0, 0.1]\nshots: [all, 5]\n"
    cells = grid(PLAIN + axes).cells(known())
    of_one = [
        (c.corruption, c.severity, c.contamination, c.shots) for c in cells[: len(cells) // 4] if c.method == "paste"
    ]
    assert of_one == [
        (None, 0, 0, None),
        ("blur", 1, 0, None),
        ("blur", 3, 0, None),
        (None, 0, 0.1, None),
        (None, 0, 0, 5),
    ]
    assert len(grid(PLAIN + axes + "combine: all\n").cells(known())) == 12 * 3 * 2 * 2


def test_an_axis_without_its_plain_value_leaves_the_plain_cell_out(grid):
    cells = grid(PLAIN + "shots: [5, 10]\n").cells(known())
    assert {c.shots for c in cells} == {5, 10}


def test_rules_exclude_and_override(grid):
    rules = """\
exclude:
  - {backbone: mcunet_in3, layers: [low, paste]}
override:
  - match: {method: paste, category: b}
    set: {settings: {epochs: 7}, input_size: 96}
"""
    cells = grid(PLAIN + rules).cells(known())
    assert len(cells) == 2 * (3 + 1)
    changed = [c for c in cells if c.method == "paste" and c.category == "b"]
    assert [(c.settings, c.input_size) for c in changed] == [({"epochs": 7, "learning_rate": 0.1}, 96)]


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("padim", "padin"), 9, "unknown method 'padin': the known ones are padim, paste"),
        (("mobilenet_v2", "mobilenet"), 6, "unknown backbone 'mobilenet': the known ones are mobilenet_v2"),
        (("layout: mvtec_ad", "layout: mvtec"), 3, "unknown layout 'mvtec': the known ones are mvtec_ad, visa"),
        (("epochs", "epoch"), 12, "no key 'epoch': the known ones are epochs"),
        (("layers: [low", "layer: [low"), 7, "no key 'layer': the known ones are title, data"),
        (("[low, equiv]", "[low, low]"), 7, "'low' stands in line 7 already"),
        (("  - padim\n", "  - padim\n  - padim\n"), 10, "a second method is called 'padim'"),
        (("layers: [low", "seeds: [0, one]\nlayers: [low"), 7, "a whole number, 0 to 4294967295, not 'one'"),
        (("layers: [low", "input_size: 2000\nlayers: [low"), 7, "must be 32 to 1024, not 2000"),
        (("layers: [low", "contamination: [5]\nlayers: [low"), 7, "five percent are 0.05"),
        (("layers: [low", "corruptions: [fog]\nlayers: [low"), 7, "unknown corruption 'fog'"),
        (("layers: [low", "tolerate: [none, fog=2]\nlayers: [low"), 7, "tolerate 'fog': choose of blur"),
        (("layers: [low", "tolerate: [noise=2, shift=1, 'noise=2.0']\nlayers: [low"), 7, "stands in line 7 already"),
        (("layers: [low", "exclude:\n  - {backbone: phinet}\nlayers: [low"), 8, "matches no cell"),
        (("layers: [low", "exclude:\n  - {bakbone: phinet}\nlayers: [low"), 8, "no key 'bakbone'"),
        (("layers: [low", "layers: low\nlayers: [low"), 8, "a second time (first in line 7)"),
        (("categories: [a, b]", "categories: [a, b"), 6, "this is not YAML"),
        (("name: parts", "name:"), 2, "name is empty"),
        (("layers: [low", "severities: [1]\nlayers: [low"), 7, "`severities` are of `corruptions`, and the grid has"),
        (("layers: [low", "severities: [1]\ncorruptions: [none]\nlayers: [low"), 7, "`severities` are of"),
        (("[a, b]", "[a, ./b]"), 5, "'./b' is no category: give the name of a folder"),
        (("[a, b]", "[a, ..]"), 5, "'..' is no category"),
        (("[a, b]", "[a, 'b\\b']"), 5, "is no category"),
        (("[a, b]", "[a, a]"), 5, "'a' stands in line 5 already"),
        (("layout: mvtec_ad", "layout: folder"), 5, "`folder` is a single product"),
        (("layers: [low", "exclude:\n  - {method: paste}\n  - {seed: 0}\nlayers: [low"), 9, "nothing is left"),
        (("  - padim\n", "  - {name: padim, backbones: []}\n"), 9, "`backbones` is an empty list"),
        (("[paste]", "[]"), 13, "`layers` is an empty list"),
        (("[low, equiv]", "[low, []]"), 7, "`layers` is an empty list"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_cure(grid, change, line, says):
    with pytest.raises(ConfigurationError, match=f"a grid.yaml, line {line}: ") as error:
        grid(PLAIN.replace(*change, 1)).cells(known())
    assert says in str(error.value)


EMPTY = ("seeds", "corruptions", "contamination", "shots", "precision", "tolerate", "streams")


@pytest.mark.parametrize("axis", [*EMPTY, "severities", "strategies"])
def test_an_axis_without_a_value_would_leave_nothing(grid, axis):
    needed = {"severities": "corruptions: [blur]\n", "strategies": "streams: [{name: s, steps: [none, blur=1]}]\n"}
    text = f"{axis}: []\n{needed.get(axis, '')}{PLAIN}"
    with pytest.raises(ConfigurationError, match=f"line 1: `{axis}` is an empty list: name at least one, or remove"):
        grid(text)


@pytest.mark.parametrize(
    ("key", "was"),
    [("categories", "[a, b]"), ("backbones", "[mobilenet_v2, mcunet_in3]"), ("layers", "[low, equiv]")],
)
def test_a_list_that_must_be_there_is_not_empty(grid, key, was):
    with pytest.raises(ConfigurationError, match=f"line [567]: `{key}` is an empty list"):
        grid(PLAIN.replace(was, "[]"))


def test_methods_that_are_of_other_backbones_leave_nothing(grid):
    methods = PLAIN[: PLAIN.index("  - padim")] + "  - {name: padim, backbones: [phinet]}\n"
    with pytest.raises(ConfigurationError, match="line 9: no method has a backbone of the grid"):
        grid(methods).cells(known())


def test_a_rule_that_makes_a_cell_impossible_is_told_with_its_own_line(grid):
    def check(cell):
        if "foo" in cell.settings:
            raise ConfigurationError("no foo")

    rules = """\
override:
  - match: {method: padim}
    set: {input_size: 96}
  - {match: {method: padim}, set: {settings: {foo: 1}}}
  - {match: {method: padim}, set: {settings: {channels: 9}}}
"""
    with pytest.raises(ConfigurationError, match="line 17: padim on layers low of mobilenet_v2 cannot be: no foo"):
        grid(PLAIN + rules, check).cells(known(check))


def test_the_same_photographs_have_one_name(grid, tmp_path):
    (tmp_path / "parts" / "a").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "parts", target_is_directory=True)
    second = "data:\n  - {name: again, layout: mvtec_ad, path: %s, categories: [%s]}\n"
    for path, name in (("./parts/../parts", "b"), ("link", "a")):
        found = grid(PLAIN.replace("data:\n", second % (path, name)))
        with pytest.raises(ConfigurationError, match=f"again/{name} and parts/{name} are the same photogr") as error:
            found.cells(known())
        assert "\n" not in str(error.value)
    assert len(grid(PLAIN.replace("data:\n", second % ("parts", "c"))).cells(known())) == 3 * 6
    other = PLAIN.replace("data:\n", second % ("other", "a"))
    assert len(grid(other).cells(known())) == 3 * 6
    with pytest.raises(ConfigurationError, match="are the same photographs"):
        grid(other).with_paths({"again": tmp_path / "parts"}).cells(known())
    single = "  - {name: %s, layout: folder, path: parts, categories: [%s]}\n"
    with pytest.raises(ConfigurationError, match="x/one and y/two are the same photographs"):
        grid(PLAIN.replace("data:\n", f"data:\n{single % ('x', 'one')}{single % ('y', 'two')}")).cells(known())


def test_what_does_not_go_together_is_told_with_the_line_of_the_method(grid):
    def check(cell):
        if cell.layers == "paste" and cell.backbone == "mcunet_in3":
            raise ConfigurationError("no such group")

    with pytest.raises(
        ConfigurationError, match=r"line 10: PaSTe, short on layers paste of mcunet_in3 .*no such group"
    ):
        grid(PLAIN, check).cells(known(check))


def test_nothing_in_the_file_is_executed(grid):
    hostile = PLAIN.replace("name: parts", "name: !!python/object/apply:os.getcwd []")
    with pytest.raises(ConfigurationError, match="name is a single value, not a list"):
        grid(hostile)


def test_data_may_lie_elsewhere(grid, tmp_path):
    found = grid(PLAIN).with_paths({"parts": tmp_path / "other"})
    assert found.data[0].path == tmp_path / "other"
    with pytest.raises(ConfigurationError, match="no data called 'part': it has parts"):
        grid(PLAIN).with_paths({"part": tmp_path})


def test_the_paper_s_grid_ships_and_fits_the_registries():
    from flawspot.benchmark.vocabulary import vocabulary

    words = vocabulary()
    cells = read_grid(grid_file("paper"), words).cells(words)
    assert len(cells) == 15 * (4 * (4 * 4 + 1) + 4)
    assert {c.category for c in cells} >= {"bottle", "zipper"}
    assert {c.layers for c in cells if c.backbone == "wide_resnet50_2"} == {"equiv"}
    assert all(c.settings["bank_size"] == 30_000 for c in cells if c.method == "patchcore")
    assert len({(c.category, c.backbone) for c in cells}) == 75
    # Its columns in the paper's tables have the paper's settings, and so are compared with them.
    for columns in (paper_tables()["table2"], paper_tables()["table3"]):
        for backbone, methods in columns.items():
            for method in methods:
                of_column = [c for c in cells if (c.backbone, c.method) == (backbone, method)]
                assert of_column
                assert all(c.settings == paper_settings(backbone, method) for c in of_column), (backbone, method)
