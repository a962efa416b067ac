"""What a detector runs on, quiet between photographs, and the same one in another process."""

import concurrent.futures
import copy
import multiprocessing
import pickle
import shutil
import time
import warnings

import numpy as np
import onnxruntime
import pytest

import flawspot
from flawspot.errors import ArtifactError, ConfigurationError, SignatureError
from flawspot.runtime.artifact import assemble
from flawspot.runtime.detector import Detector
from flawspot.runtime.session import open_session
from flawspot.runtime.signature import make_key, sign

WHITE = np.full((9, 9, 3), 255, np.uint8)
on_cpu_alone = pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="there may be a GPU"
)


@pytest.fixture
def part(tmp_path, tiny_model, tiny_manifest):
    assemble(tiny_model, tiny_manifest).save(tmp_path / "part.onnx")
    return tmp_path / "part.onnx"


def test_the_provider_is_told(part):
    detector = flawspot.load(part, device="cpu")
    assert detector.provider == "CPU"
    assert repr(detector).endswith("on CPU)")


@on_cpu_alone
def test_a_gpu_that_was_asked_for_and_is_not_there(part):
    with pytest.warns(RuntimeWarning, match=r"no GPU is used.*pip install onnxruntime-gpu"):
        detector = flawspot.load(part, device="cuda")
    assert detector.predict(WHITE).score == 255


def test_a_gpu_that_cannot_be_used(tiny_model, monkeypatch):
    """onnxruntime-gpu without CUDA's libraries opens a session on the CPU and says nothing."""
    real, cpu = onnxruntime.InferenceSession, ["CPUExecutionProvider"]
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", lambda model, options, **_: real(model, options, providers=cpu)
    )
    for device in (None, "cuda"):
        with pytest.warns(RuntimeWarning, match="driver, CUDA and cuDNN"):
            open_session(tiny_model, device=device)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_session(tiny_model, device="cpu")


def test_a_gpu_computes_in_full_precision_with_the_libraries_that_pip_brought(tiny_model, monkeypatch, capsys):
    """TensorFloat-32, ONNX Runtime's own default there, was seen to change maps by a hundredth."""
    real, seen, loaded = onnxruntime.InferenceSession, [], []

    def session(model, options, providers, **_):
        seen.extend(providers)
        return real(model, options, providers=["CPUExecutionProvider"])

    def preload():
        loaded.append(True)
        print("cannot load libcudnn")

    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(onnxruntime, "preload_dlls", preload, raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    with pytest.warns(RuntimeWarning, match="driver, CUDA and cuDNN"):
        open_session(tiny_model, device="cuda")
    assert seen == [("CUDAExecutionProvider", {"use_tf32": "0"}), ("CPUExecutionProvider", {})]
    assert loaded == [True]
    assert capsys.readouterr().out == ""


def test_a_device_that_does_not_exist(part):
    with pytest.raises(ConfigurationError, match="there is no device 'gpu0': use cpu or cuda"):
        flawspot.load(part, device="gpu0")


@pytest.mark.parametrize("version", ["1.23.2", "1.25.1", "1.26.0", "1.32.0", "2.0.0.dev1"])
def test_no_thread_waits_for_the_next_photograph_unless_asked(version, part, session_entries, monkeypatch):
    """Versions that cannot wait for so short a time do not wait at all."""
    monkeypatch.setattr(onnxruntime, "__version__", version)
    short = version > "1.26"
    for spin in (False, True):
        session_entries.clear()
        flawspot.load(part, spin=spin)
        briefly = short and not spin
        assert ("session.intra_op.allow_spinning", str(int(spin or briefly))) in session_entries
        assert (("session.force_spinning_stop", "1") in session_entries) == briefly
        assert (("session.intra_op.spin_duration_us", "20") in session_entries) == briefly


@pytest.mark.parametrize(("version", "safe"), [("1.28.2", False), ("1.29.0", False), ("1.30.0", True)])
def test_an_optimizer_that_ends_the_process_is_left_out(version, safe, tiny_model, monkeypatch):
    monkeypatch.setattr(onnxruntime, "__version__", version)
    said = {}
    session = onnxruntime.InferenceSession

    def watched(*arguments, **options):
        said.update(options)
        return session(*arguments, **{**options, "disabled_optimizers": ["ConstantFolding"]})

    monkeypatch.setattr(onnxruntime, "InferenceSession", watched)
    open_session(tiny_model, device="cpu")
    assert "ConstantFolding" in said["disabled_optimizers"]
    assert ("FuseFp16InitializerToFp32NodeTransformer" not in said["disabled_optimizers"]) == safe


def test_between_photographs_it_takes_no_processor_time(part):
    detector = flawspot.load(part, threads=2)
    detector.predict(WHITE)
    begin = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - begin < 0.1


def score_of_white(detector: Detector) -> float:
    return detector.predict(WHITE).score


@pytest.mark.parametrize("from_memory", [True, False])
def test_it_pickles_by_its_artifact(part, tiny_model, tiny_manifest, from_memory):
    source = assemble(tiny_model, tiny_manifest) if from_memory else part
    detector = flawspot.load(source, threads=1, max_pixels=50)
    data = pickle.dumps(detector)
    part.unlink()  # the bytes are in it
    for again in (pickle.loads(data), *([] if not from_memory else [copy.deepcopy(detector)])):
        assert repr(again) == repr(detector)
        assert again.predict(WHITE).score == 255
        assert again._max_pixels == 50
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(score_of_white, pickle.loads(data)).result() == 255


def test_what_is_unpickled_is_verified_again(part):
    data = bytearray(pickle.dumps(flawspot.load(part)))
    place = data.index(b'"false_alarm_rate"')
    data[place + 2] ^= 1
    with pytest.raises(ArtifactError, match="damaged"):
        pickle.loads(bytes(data))


def test_a_file_that_is_another_by_now_is_not_pickled(part, tiny_model, tiny_manifest):
    detector = flawspot.load(part)
    assemble(tiny_model, tiny_manifest).recalibrated(0.5).save(part)
    with pytest.raises(ArtifactError, match="has changed since, load it again"):
        pickle.dumps(detector)
    part.unlink()
    with pytest.raises(ArtifactError, match="cannot read"):
        pickle.dumps(detector)


def test_a_signature_is_asked_for_again(part, tmp_path, tiny_model, tiny_manifest, monkeypatch):
    make_key(tmp_path / "key")
    sign(assemble(tiny_model, tiny_manifest), tmp_path / "key").save(part)
    data = pickle.dumps(flawspot.load(part, trusted_keys=[tmp_path / "key.pub"]))
    assert pickle.loads(data).predict(WHITE).score == 255
    make_key(tmp_path / "other")
    shutil.copy(tmp_path / "other.pub", tmp_path / "key.pub")
    with pytest.raises(SignatureError):
        pickle.loads(data)


def test_a_detector_of_a_session_alone_does_not_pickle(tiny_model, tiny_manifest):
    with pytest.raises(TypeError, match=r"flawspot\.load"):
        pickle.dumps(Detector(tiny_manifest, open_session(tiny_model)))
