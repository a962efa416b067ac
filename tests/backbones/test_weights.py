"""Weights are checked before they are opened; the default ones are the same everywhere."""

import dataclasses
import hashlib
import os
import pickle

import pytest
import torch

from flawspot.backbones import registry
from flawspot.backbones.registry import create_pretrained, families, family
from flawspot.backbones.weights import Url, cache_folder, find, load_checkpoint, pull, require
from flawspot.errors import ConfigurationError, WeightsError

pytestmark = pytest.mark.usefixtures("cache")


def test_other_folders_are_searched_by_name_and_by_content(tmp_path, monkeypatch, weights_file, content):
    named, renamed = tmp_path / "a", tmp_path / "b"
    named.mkdir()
    (renamed / "deep").mkdir(parents=True)
    (named / "first.pth").write_bytes(content)
    (renamed / "deep" / "whatever.bin").write_bytes(content)
    file = weights_file(size=len(content))
    monkeypatch.setenv("FLAWSPOT_WEIGHTS_PATH", os.pathsep.join([str(tmp_path / "missing"), str(named)]))
    assert find("net", [file]) == (file, named / "first.pth")
    monkeypatch.setenv("FLAWSPOT_WEIGHTS_PATH", str(renamed))
    assert find("net", [file]) == (file, renamed / "deep" / "whatever.bin")


def test_the_default_is_the_same_everywhere_and_others_are_taken_only_by_name(cache, weights_file, content):
    cache.mkdir(parents=True)
    first, second = weights_file(), weights_file(name="second", content=b"2")
    (cache / "second.pth").write_bytes(b"2")
    assert find("net", [first, second]) is None
    with pytest.raises(WeightsError, match=r"weights first of net .* name weights that are here: --weights second$"):
        require("net", [first, second])
    assert require("net", [first, second], "second")[0] is second
    (cache / "first.pth").write_bytes(content)
    assert require("net", [first, second])[0] is first
    assert require("net", [first, second], "second")[0] is second
    with pytest.raises(ConfigurationError, match="the known ones are first, second"):
        find("net", [first, second], "third")


def test_the_default_weights_of_every_backbone():
    """A change here changes what everybody's commands train with, and every published figure."""
    assert {name: known.weights[0].name for name, known in families().items()} == {
        "efficientnet_lite0": "imagenet1k",
        "mcunet_in3": "imagenet1k_official",
        "micronet_m1": "imagenet1k_official",
        "mobilenet_v2": "imagenet1k_tonylins",
        "phinet": "imagenet1k_moviad",
        "wide_resnet50_2": "imagenet1k_v1",
    }


def test_what_is_not_at_hand_says_which_file_goes_where(cache, weights_file):
    with pytest.raises(WeightsError) as caught:
        require("net", [weights_file()], "first")
    assert "by name" not in str(caught.value)  # there is nothing else
    for part in ("flawspot weights pull net --weights first", "first.pth (sha256 ", str(cache)):
        assert part in str(caught.value)


def test_a_prefix_of_the_checksum_serves_where_upstream_gives_no_more(cache, weights_file, content):
    cache.mkdir(parents=True)
    (cache / "first.pth").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    assert find("net", [weights_file(sha256=digest[:8])])
    assert find("net", [weights_file(sha256="00000000")]) is None
    assert find("net", [weights_file(sha256=digest[:7])]) is None  # too short to mean anything


@pytest.fixture
def saved(weights_file):
    """Save a checkpoint and describe it."""

    def save(path, value):
        torch.save(value, path)
        return weights_file(content=path.read_bytes())

    return save


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: {"state_dict": t}])
def test_checkpoints_are_named_tensors(tmp_path, wrap, saved):
    path = tmp_path / "w.pth"
    file = saved(path, wrap({"a.weight": torch.ones(2)}))
    assert torch.equal(load_checkpoint(path, file)["a.weight"], torch.ones(2))


@pytest.mark.parametrize("value", [[1, 2], {}, {"a": torch.ones(1), "epoch": 3}, torch.ones(3)])
def test_anything_else_is_refused(tmp_path, value, saved):
    path = tmp_path / "w.pth"
    with pytest.raises(WeightsError, match="tensors"):
        load_checkpoint(path, saved(path, value))


class Evil:
    def __reduce__(self):
        return open, (str(EVIL_TARGET), "w")


EVIL_TARGET = None


def test_code_in_a_checkpoint_is_not_run(tmp_path, weights_file, saved):
    global EVIL_TARGET
    EVIL_TARGET = tmp_path / "evil"
    path = tmp_path / "w.pth"
    with pytest.raises(WeightsError, match="cannot be read"):
        load_checkpoint(path, saved(path, {"a": Evil()}))
    path.write_bytes(pickle.dumps({"a": Evil()}))
    with pytest.raises(WeightsError, match="cannot be read"):
        load_checkpoint(path, weights_file(content=path.read_bytes()))
    assert not EVIL_TARGET.exists()


def test_a_checkpoint_that_changed_since_is_not_opened(tmp_path, saved):
    path = tmp_path / "w.pth"
    file = saved(path, {"a": torch.ones(1)})
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(WeightsError, match="checksum differs"):
        load_checkpoint(path, file)


def test_a_wrong_checksum_keeps_torch_away(server, tmp_path, monkeypatch, weights_file, left):
    def opened(*_, **__):
        raise AssertionError("opened")

    monkeypatch.setattr(torch, "load", opened)
    path = tmp_path / "w.pth"
    path.write_bytes(b"something else")
    with pytest.raises(WeightsError, match="checksum differs"):
        load_checkpoint(path, weights_file())
    with pytest.raises(WeightsError, match=r"its sha256 is .*, expected sha256 .*; not kept"):
        pull("net", [weights_file(Url(f"{server}/other"))])
    assert left() == []


def test_a_checkpoint_of_another_network_names_the_first_three_tensors(monkeypatch, cache, weights_file):
    """Beyond the last tap as well: the whole network is held against it before it is trimmed."""
    known = family("mcunet_in3")
    tensors = dict(torch.nn.ModuleList(known.build()).state_dict())
    names = [name for name in tensors if name.startswith("17.")][:4]
    missing, misshapen, also_missing, fourth = names
    del tensors[missing], tensors[also_missing], tensors[fourth]
    tensors[misshapen] = torch.zeros(3, 1)
    tensors["99.weight"] = torch.zeros(1)
    cache.mkdir(parents=True)
    torch.save(tensors, cache / "first.pth")
    file = weights_file(content=(cache / "first.pth").read_bytes())
    changed = dataclasses.replace(known, weights=(file,), rename=dict)
    monkeypatch.setattr(registry, "family", lambda _: changed)
    with pytest.raises(WeightsError) as caught:
        create_pretrained("mcunet_in3", [2])
    message = str(caught.value)
    assert message.startswith("first.pth does not fit this backbone: ")
    assert message.count(" is missing") == 3
    assert " and 2 more. Take the checkpoint" in message
    assert "\n" not in message


def test_the_platforms_cache_is_the_default(monkeypatch):
    monkeypatch.delenv("FLAWSPOT_CACHE")
    assert cache_folder().name == "weights"
    assert "flawspot" in str(cache_folder()).lower()
