"""Sessions: what is exposed, what is refused, and that nothing runs elsewhere than asked."""

from __future__ import annotations

import logging
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reid.device
import reid.runtime
from reid.device import Device, conflicting_runtimes_message, import_onnxruntime, installed_runtimes
from reid.errors import DeviceError, InputError, MissingExtraError, ModelError
from reid.runtime import TensorInfo, open_session

onnx = pytest.importorskip("onnx")


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("auto", Device("auto")),
        ("cpu", Device("cpu")),
        ("cuda", Device("cuda", 0)),
        ("CUDA:3", Device("cuda", 3)),
        ("tensorrt:1", Device("tensorrt", 1)),
    ],
)
def test_device_grammar(text: str, device: Device) -> None:
    assert Device.parse(text) == device
    assert Device.parse(str(device)) == device


@pytest.mark.parametrize("text", ["gpu", "cpu:0", "cuda:", "cuda:-1", "cuda:x", "", "auto:1", "cuda 0", None, 0])
def test_other_devices_are_refused(text: Any) -> None:
    with pytest.raises(DeviceError, match=r"device must be auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N, got"):
        Device.parse(text)


def test_tensorrt_declares_cuda_as_its_second_and_both_are_required() -> None:
    device = Device.parse("tensorrt:2")
    assert device.required_providers == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    assert device.provider_arguments() == [
        ("TensorrtExecutionProvider", {"device_id": "2"}),
        ("CUDAExecutionProvider", {"device_id": "2"}),
        "CPUExecutionProvider",
    ]


def test_session_exposes_inputs_outputs_and_metadata(make_model: Any) -> None:
    session = open_session(make_model((None, 3, 8, 4), metadata={"who": "me"}), device="cpu", threads=1)
    assert session.inputs == (TensorInfo("pictures", (None, 3, 8, 4), "float32"),)
    assert session.outputs == (TensorInfo("vectors", (None, 3), "float32"),)
    assert session.metadata == {"who": "me"}
    assert session.device == "cpu"
    assert session.providers == ("CPUExecutionProvider",)


def test_run_gives_outputs_in_order_and_float16_as_float32(make_model: Any) -> None:
    pictures = np.random.default_rng(0).random((5, 3, 8, 4)).astype(np.float32)
    for dtype in ("float32", "float16"):
        session = open_session(make_model(dtype=dtype), device="cpu")
        (vectors,) = session.run({"pictures": pictures})
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, pictures.mean(axis=(2, 3)), atol=2e-3)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, r"must be fed \['pictures'\], got \[\]"),
        ({"images": np.zeros((1, 3, 8, 4), np.float32)}, r"must be fed \['pictures'\], got \['images'\]"),
        ({"pictures": np.zeros((1, 3, 8, 5), np.float32)}, r"must have shape \(None, 3, 8, 4\), got \(1, 3, 8, 5\)"),
        ({"pictures": np.zeros((3, 8, 4), np.float32)}, r"must have shape .*, got \(3, 8, 4\)"),
        ({"pictures": np.zeros((1, 3, 8, 4), np.uint8)}, "must have dtype float32, got uint8"),
    ],
)
def test_wrong_feeds_are_refused(make_model: Any, feeds: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_session(make_model(), device="cpu").run(feeds)


def broken_files(folder: Path, good: Path) -> dict[str, tuple[Path, str]]:
    text, empty, cut = folder / "text.onnx", folder / "empty.onnx", folder / "cut.onnx"
    text.write_text("not a model")
    empty.touch()
    cut.write_bytes(good.read_bytes()[:100])
    return {
        "missing": (folder / "none.onnx", "does not exist"),
        "folder": (folder, "must be an ONNX file, got a folder"),
        "empty": (empty, "is empty"),
        "text": (text, "is not an ONNX file, or is cut off"),
        "cut": (cut, "is not an ONNX file, or is cut off"),
    }


@pytest.mark.parametrize("case", ["missing", "folder", "empty", "text", "cut"])
def test_broken_files_are_refused(case: str, make_model: Any, tmp_path: Path) -> None:
    path, message = broken_files(tmp_path, make_model())[case]
    with pytest.raises(ModelError, match=message):
        open_session(path, device="cpu")


def test_a_file_over_two_gibibytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # sparse: takes no space
    with pytest.raises(ModelError, match="must be smaller than 2 GiB"):
        open_session(path, device="cpu")


def test_custom_operators_are_refused_by_name(make_model: Any, tmp_path: Path) -> None:
    custom = onnx.load(make_model())
    custom.graph.node[0].op_type, custom.graph.node[0].domain = "Sparkle", "own.ops"
    custom.opset_import.append(onnx.helper.make_opsetid("own.ops", 1))
    onnx.save(custom, tmp_path / "custom.onnx")
    with pytest.raises(ModelError, match=r"custom operators.*own\.ops::Sparkle.*open_session\(custom_ops=\.\.\.\)"):
        open_session(tmp_path / "custom.onnx", device="cpu")
    with pytest.raises(ModelError, match="cannot be loaded"):  # it is asked for the library, which is none
        open_session(tmp_path / "custom.onnx", device="cpu", custom_ops=tmp_path / "custom.onnx")


def test_an_operator_that_onnx_lacks_is_named(make_model: Any, tmp_path: Path) -> None:
    unknown = onnx.load(make_model())
    unknown.graph.node[0].op_type = "Sparkle"
    onnx.save(unknown, tmp_path / "unknown.onnx")
    with pytest.raises(ModelError, match=r"operators that onnxruntime does not have.*Sparkle"):
        open_session(tmp_path / "unknown.onnx", device="cpu")


@pytest.fixture
def outside(make_model: Any, tmp_path: Path) -> Path:
    """A model whose weights are in weights.bin beside it."""
    model = onnx.load(make_model())
    gain = next(tensor for tensor in model.graph.initializer if tensor.name == "gain")
    gain.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(gain), "gain"))  # only raw data is moved out
    path = tmp_path / "out.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def test_weights_in_other_files_are_refused_unless_allowed(outside: Path) -> None:
    with pytest.raises(ModelError, match=r"other files \(weights\.bin\).*onnx\.save.*external_data=True"):
        open_session(outside, device="cpu")
    session = open_session(outside, device="cpu", external_data=True)
    assert [path.name for path in session.external] == ["weights.bin"]
    pictures = np.random.default_rng(0).random((5, 3, 8, 4)).astype(np.float32)
    np.testing.assert_allclose(session.run({"pictures": pictures})[0], pictures.mean(axis=(2, 3)), atol=1e-6)


def test_lost_weights_are_named(outside: Path) -> None:
    (outside.parent / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"'weights\.bin', and there is no such file"):
        open_session(outside, device="cpu", external_data=True)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_wrong_thread_counts_are_refused(make_model: Any, threads: Any) -> None:
    with pytest.raises(DeviceError, match="threads must be None or a whole number of at least 1"):
        open_session(make_model(), device="cpu", threads=threads)


def test_a_gpu_is_refused_on_a_cpu_only_build_with_reason_and_cure(make_model: Any) -> None:
    if "CUDAExecutionProvider" in import_onnxruntime().get_available_providers():
        pytest.skip("this is a GPU build of onnxruntime")
    for device in ("cuda", "cuda:1", "tensorrt"):
        with pytest.raises(DeviceError, match=r'CPU-only build .* pip install "reidtrack\[gpu\]"'):
            open_session(make_model(), device=device)


def test_two_runtimes_at_once_are_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch, make_model: Any) -> None:
    both = {"onnxruntime": "1.20.0", "onnxruntime-gpu": "1.20.0"}
    monkeypatch.setattr(reid.device, "installed_runtimes", lambda: both)
    for device in ("auto", "cpu", "cuda"):
        with pytest.raises(DeviceError, match=r"pip uninstall -y onnxruntime onnxruntime-gpu && pip install .*\[gpu\]"):
            open_session(make_model(), device=device)
    assert conflicting_runtimes_message({"onnxruntime": "1.20.0"}) is None


def test_installed_runtimes_names_what_is_here() -> None:
    found = installed_runtimes()
    assert len(found) == 1
    assert next(iter(found.values())).startswith(import_onnxruntime().__version__)


def test_a_missing_runtime_names_both_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(reid.device, "installed_runtimes", dict)
    monkeypatch.setattr(reid.device.importlib, "import_module", fail)
    with pytest.raises(MissingExtraError, match=r"reidtrack\[cpu\].* or .*reidtrack\[gpu\]"):
        import_onnxruntime()


class FakeRuntime(types.SimpleNamespace):
    """A GPU build of onnxruntime whose sessions get the providers, or raise the error, that the test says."""

    def __init__(self, available: list[str], given: list[str], error: str | None = None) -> None:
        super().__init__()
        self.__version__ = "1.99.0"
        self.calls: list[dict[str, Any]] = []
        self.settings: dict[str, str] = {}
        self.available, self.given, self.error = available, given, error

    def get_available_providers(self) -> list[str]:
        return self.available

    def preload_dlls(self) -> None:
        print("Failed to load libcudnn.so.9")

    def SessionOptions(self) -> Any:
        return types.SimpleNamespace(add_session_config_entry=self.settings.__setitem__)

    def InferenceSession(self, path: str, **kwargs: Any) -> Any:
        self.calls.append({"path": path, **kwargs})
        names = [p if isinstance(p, str) else p[0] for p in kwargs["providers"]]
        on_gpu = names != ["CPUExecutionProvider"]
        if on_gpu and self.error:
            raise RuntimeError(self.error)
        value = types.SimpleNamespace(name="x", shape=["batch", 3], type="tensor(float)")
        return types.SimpleNamespace(
            get_inputs=lambda: [value],
            get_outputs=lambda: [value],
            get_modelmeta=lambda: types.SimpleNamespace(custom_metadata_map={}),
            get_providers=lambda: self.given if on_gpu else ["CPUExecutionProvider"],
            io_binding=lambda: FakeBinding(),
            run_with_iobinding=lambda binding: binding.bound.append("run"),
        )


class FakeBinding:
    def __init__(self) -> None:
        self.bound: list[Any] = []

    def bind_cpu_input(self, name: str, array: Any) -> None:
        self.bound.append((name, array.shape))

    def bind_output(self, name: str, device: str, index: int) -> None:
        self.bound.append((name, device, index))

    def copy_outputs_to_cpu(self) -> list[Any]:
        assert self.bound == [("x", (2, 3)), ("x", "cuda", 1), "run"]
        return [np.ones((2, 3), np.float16)]


GPU = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(runtime: FakeRuntime) -> FakeRuntime:
        monkeypatch.setattr(reid.runtime, "import_onnxruntime", lambda: runtime)
        return runtime

    return put


def test_cuda_is_taken_where_the_session_has_it(install: Any, make_model: Any, capsys: Any) -> None:
    runtime = install(FakeRuntime(GPU, GPU[1:]))
    session = open_session(make_model(), device="cuda:1")
    assert session.device == "cuda:1"
    assert runtime.calls[0]["providers"] == [("CUDAExecutionProvider", {"device_id": "1"}), "CPUExecutionProvider"]
    assert runtime.calls[0]["enable_fallback"] == 0
    (output,) = session.run({"x": np.zeros((2, 3), np.float32)})
    assert output.dtype == np.float32
    assert capsys.readouterr() == ("", "")  # what preload_dlls prints stays inside


def test_a_session_that_fell_back_is_refused(install: Any, make_model: Any) -> None:
    install(FakeRuntime(GPU, ["CPUExecutionProvider"]))
    with pytest.raises(DeviceError, match=r"gave only CPUExecutionProvider.*libcudnn.*Cure"):
        open_session(make_model(), device="cuda")


def test_tensorrt_that_became_cuda_is_refused(install: Any, make_model: Any) -> None:
    install(FakeRuntime(GPU, GPU[1:]))
    with pytest.raises(DeviceError, match="device tensorrt:0 cannot be used"):
        open_session(make_model(), device="tensorrt")


def test_an_error_of_the_gpu_is_told_apart_from_one_of_the_model(install: Any, make_model: Any) -> None:
    install(FakeRuntime(GPU, GPU, error="CUDA failure 101: invalid device ordinal"))
    with pytest.raises(DeviceError, match="invalid device ordinal"):
        open_session(make_model(), device="cuda:7")


def test_auto_takes_cuda_and_says_so(install: Any, make_model: Any, caplog: pytest.LogCaptureFixture) -> None:
    install(FakeRuntime(GPU, GPU[1:]))
    with caplog.at_level(logging.INFO):
        assert open_session(make_model()).device == "cuda:0"
    assert [r.getMessage() for r in caplog.records] == ["device auto: model.onnx runs on cuda:0"]


def test_auto_goes_on_with_the_cpu_and_warns_why(
    install: Any, make_model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    install(FakeRuntime(GPU, [], error="libcublas.so.12: cannot open shared object file"))
    with caplog.at_level(logging.INFO):
        assert open_session(make_model()).device == "cpu"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "libcublas" in record.getMessage()


def test_auto_without_a_gpu_build_says_so_once(install: Any, make_model: Any, caplog: pytest.LogCaptureFixture) -> None:
    install(FakeRuntime(["CPUExecutionProvider"], []))
    with caplog.at_level(logging.INFO):
        assert open_session(make_model()).device == "cpu"
    assert len(caplog.records) == 1
    assert "CPU-only build" in caplog.text


def test_threads_do_not_wait_in_a_busy_loop(install: Any, make_model: Any) -> None:
    runtime = install(FakeRuntime(["CPUExecutionProvider"], []))
    open_session(make_model(), device="cpu")
    assert runtime.settings == {"session.intra_op.allow_spinning": "0"}
