import numpy as np
import pytest

from flawspot.quantization.network import Addition, Convolution, read_network
from flawspot.quantization.ranges import observe
from flawspot.quantization.steps import Units
from flawspot.quantization.streams import absorbed, channel_units, streams_of


def test_what_is_added_shares_a_stream(float_model):
    network = read_network(float_model)
    streams = streams_of(network)
    for layer in network.layers:
        if isinstance(layer, Addition):
            assert any({*layer.sources, layer.result} <= set(stream) for stream in streams)
    members = [name for stream in streams for name in stream]
    assert len(members) == len(set(members))
    assert all(layer.result in members for layer in network.convolutions if layer.linear)


def test_a_stream_has_one_scale_and_sums_have_the_sum_of_the_shifts(float_model, photographs):
    network = read_network(float_model)
    names = network.values()
    units = channel_units(network, observe(float_model, list(names.values()), photographs[:3]), 1.0)
    keys = {name: key for key, name in names.items()}
    for layer in network.layers:
        if isinstance(layer, Addition):
            first, second, result = (units[keys[name]] for name in (*layer.sources, layer.result))
            np.testing.assert_array_equal(first.scale, result.scale)
            np.testing.assert_array_equal(second.scale, result.scale)
            np.testing.assert_array_equal(first.shift + second.shift, result.shift)


def test_a_student_that_starts_in_a_stream_takes_its_scale(float_model, photographs):
    """PaSTe's first shortcut adds what the student gives to what the shared blocks give."""
    network = read_network(float_model)
    names = network.values()
    ranges = observe(float_model, list(names.values()), photographs[:3])
    known = channel_units(network, ranges, 1.0)
    addition = next(layer for layer in network.layers if isinstance(layer, Addition))
    late = {addition.sources[1], addition.result}
    keys = {name: key for key, name in names.items()}
    old = {key: units for key, units in known.items() if key not in {keys[name] for name in late}}
    new = channel_units(network, {name: ranges[name] for name in late}, 1.0, old)
    assert set(new) == {keys[name] for name in late}
    for name in late:
        np.testing.assert_array_equal(new[keys[name]].scale, known[keys[name]].scale)


@pytest.mark.parametrize("groups", [1, 4])
def test_units_are_absorbed_exactly(groups):
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(4, 4 // groups, 1, 1)).astype(np.float32)
    bias = generator.normal(size=4).astype(np.float32)
    layer = Convolution("w", "x", "y", weights, bias, {"group": groups})
    source = Units(generator.uniform(0.1, 2, 4), generator.normal(size=4))
    result = Units(generator.uniform(0.1, 2, 4), generator.normal(size=4))
    kept = generator.normal(size=4)
    dense = np.zeros((4, 4))
    for row in range(4):
        for place in range(4 // groups):
            dense[row, row // (4 // groups) * (4 // groups) + place if groups > 1 else place] = weights[
                row, place, 0, 0
            ]
    want = dense @ (kept * source.scale + source.shift) + bias
    absorbed_weights, absorbed_bias = absorbed(layer, source, result)
    inner = np.zeros((4, 4))
    for row in range(4):
        for place in range(4 // groups):
            column = row if groups > 1 else place
            inner[row, column] = absorbed_weights[row, place, 0, 0]
    got = (inner @ kept + absorbed_bias) * result.scale + result.shift
    np.testing.assert_allclose(got, want, rtol=1e-6)
