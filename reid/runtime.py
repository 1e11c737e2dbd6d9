"""One ONNX model in one onnxruntime session, on exactly the device that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.device import Device, import_onnxruntime, missing_provider_message, preload_gpu_libraries
from reid.errors import DeviceError, InputError, ModelError
from reid.onnx_file import external_paths, read_contents

_logger = logging.getLogger(__name__)

_MAX_MODEL_BYTES = 2**31 - 1  # protobuf's own limit: no larger ONNX file can be valid
_ERRORS_ONLY = 3  # onnxruntime's log level: old exporters cause hundreds of harmless warnings on stderr
_DTYPES = {"float": "float32", "double": "float64"}  # where the name in ONNX differs from that in numpy
_NUMPY_DTYPES = frozenset(
    ("float16", "float32", "float64", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "bool")
)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One input or output of a model."""

    name: str
    """Name in the graph."""
    shape: tuple[int | None, ...]
    """Size of each axis; None where it may vary."""
    dtype: str
    """Name of the numpy dtype, such as `float32` or `uint8`."""


class OnnxSession:
    """A loaded model. Made by `open_session`; several threads may call `run` at once."""

    def __init__(self, session: Any, device: Device, path: Path, external: tuple[Path, ...] = ()) -> None:
        self._session = session
        self._device = device
        self.path = path
        self.external = external
        """Files beside the model that hold weights of it."""
        self.inputs = tuple(_tensor_info(value, path) for value in session.get_inputs())
        self.outputs = tuple(_tensor_info(value, path) for value in session.get_outputs())
        self.metadata: Mapping[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self.providers: tuple[str, ...] = tuple(session.get_providers())
        if not self.inputs or not self.outputs:
            raise ModelError(f"model {path} must have at least one input and one output, got {self._describe()}")

    @property
    def device(self) -> str:
        """What it runs on: `cpu`, `cuda:N` or `tensorrt:N`."""
        return str(self._device)

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Outputs in the model's order; float16 ones are returned as float32.

        `feeds` names every input; a float array is converted to the model's own float type, any other dtype must fit.

        Raises:
            InputError: an input is missing, unknown, or of the wrong dtype or shape.
            ModelError: onnxruntime failed while running the model.
        """
        arrays = self._check_feeds(feeds)
        try:
            outputs = self._run_cpu(arrays) if self._device.kind == "cpu" else self._run_bound(arrays)
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise ModelError(
                f"model {self.path} failed while running on {self.device}: {_first_line(error)}"
            ) from error
        return [o.astype(np.float32) if o.dtype == np.float16 else o for o in outputs]

    def _run_cpu(self, arrays: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        outputs: list[NDArray[Any]] = self._session.run(None, arrays)
        return outputs

    def _run_bound(self, arrays: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        # Bound outputs stay on the GPU until all are computed, then come back in one go.
        binding = self._session.io_binding()
        for name, array in arrays.items():
            binding.bind_cpu_input(name, array)
        for output in self.outputs:
            binding.bind_output(output.name, "cuda", self._device.index)
        self._session.run_with_iobinding(binding)
        outputs: list[NDArray[Any]] = binding.copy_outputs_to_cpu()
        return outputs

    def _check_feeds(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        wanted = {tensor.name: tensor for tensor in self.inputs}
        if set(feeds) != set(wanted):
            raise InputError(f"model {self.path} must be fed {sorted(wanted)}, got {sorted(feeds)}")
        return {name: self._check_feed(wanted[name], array) for name, array in feeds.items()}

    def _check_feed(self, wanted: TensorInfo, array: NDArray[Any]) -> NDArray[Any]:
        shape_fits = len(array.shape) == len(wanted.shape) and all(
            s is None or s == a for s, a in zip(wanted.shape, array.shape, strict=True)
        )
        if not shape_fits:
            raise InputError(f"input {wanted.name} of {self.path} must have shape {wanted.shape}, got {array.shape}")
        dtype = np.dtype(wanted.dtype)
        if array.dtype != dtype and not (array.dtype.kind == "f" and dtype.kind == "f"):
            raise InputError(f"input {wanted.name} of {self.path} must have dtype {dtype}, got {array.dtype}")
        return np.ascontiguousarray(array, dtype)

    def _describe(self) -> str:
        return f"inputs {[t.name for t in self.inputs]}, outputs {[t.name for t in self.outputs]}"


@dataclass(frozen=True, slots=True)
class _Request:
    """What a session is made of, whatever device it is put on."""

    path: Path
    threads: int | None
    custom_ops: Path | None


def open_session(
    model: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    external_data: bool = False,
    custom_ops: str | Path | None = None,
) -> OnnxSession:
    """Load an ONNX file and put it on a device.

    `device` is `auto`, `cpu`, `cuda[:N]` or `tensorrt[:N]`. `auto` takes CUDA where the session really gets it, else
    the CPU, and logs which; any other device is taken or refused, never exchanged. `threads` is how many threads one
    operator may use on the CPU; None leaves it to onnxruntime (one a core).

    A model that keeps weights in other files is refused unless `external_data` allows it, and then they must lie beside
    it: such a file can be exchanged without the model changing. Operators that neither ONNX nor onnxruntime defines are
    refused unless `custom_ops` names the shared library that has them. Such a library is code that runs with all your
    rights: name only one that you trust.

    Raises:
        DeviceError: the device is unknown or cannot be used; the message says why and what helps.
        ModelError: the file is missing, no ONNX model, broken, or needs what onnxruntime does not have.
        MissingExtraError: onnxruntime is not installed.
    """
    wanted = Device.parse(device)
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise DeviceError(f"threads must be None or a whole number of at least 1, got {threads!r}")
    path = Path(model)
    _check_file(path)
    external = _check_contents(path, external_data, custom_ops is not None)
    ort = import_onnxruntime()
    request = _Request(path, threads, None if custom_ops is None else Path(custom_ops))
    if wanted.kind == "auto":
        session, wanted = _open_auto(ort, request)
    else:
        session = _open_exactly(ort, request, wanted)
    return OnnxSession(session, wanted, path, external)


def _open_auto(ort: Any, request: _Request) -> tuple[Any, Device]:
    path = request.path
    cuda, cpu = Device("cuda"), Device("cpu")
    if missing_provider_message(cuda, ort) is None:
        try:
            session = _open_exactly(ort, request, cuda)
        except DeviceError as error:
            _logger.warning("device auto: %s runs on the CPU, because %s", path.name, error)
        else:
            _logger.info("device auto: %s runs on %s", path.name, cuda)
            return session, cuda
    else:
        _logger.info("device auto: %s runs on the CPU (this onnxruntime is a CPU-only build)", path.name)
    return _open_exactly(ort, request, cpu), cpu


def _open_exactly(ort: Any, request: _Request, device: Device) -> Any:
    """An onnxruntime session that has every provider of `device`."""
    message = missing_provider_message(device, ort)
    if message is not None:
        raise DeviceError(message)
    complaint = preload_gpu_libraries(ort) if device.kind != "cpu" else ""
    try:
        session = _create(ort, request, device)
    except Exception as error:
        # Is it the model or the device? Whatever loads on the CPU is a sound model.
        if device.kind == "cpu":
            raise ModelError(_load_failure(request.path, error)) from error
        _open_exactly(ort, request, Device("cpu"))
        raise DeviceError(_gpu_failure(device, _first_line(error) + complaint)) from error
    got = list(session.get_providers())
    if not set(device.required_providers) <= set(got):
        why = f"onnxruntime gave only {', '.join(got)}. {complaint}".strip()
        raise DeviceError(_gpu_failure(device, why))
    return session


def _create(ort: Any, request: _Request, device: Device) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # threads that wait for work in a busy loop take the cores from decoding, tracking and encoding: beside other work
    # YOLOX-nano takes 45 ms with it and 30 without, on 2 cores, at half the CPU time
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if request.threads is not None:
        options.intra_op_num_threads = request.threads
    if request.custom_ops is not None:
        options.register_custom_ops_library(str(request.custom_ops))
    # enable_fallback=0: without it onnxruntime prints and goes on with the CPU
    return ort.InferenceSession(
        str(request.path), sess_options=options, providers=device.provider_arguments(), enable_fallback=0
    )


def _gpu_failure(device: Device, why: str) -> str:
    return (
        f"device {device} cannot be used: {why} "
        f"Cure: check the driver with nvidia-smi, the GPU's number, and that CUDA and cuDNN are those of "
        f'pip install "reidtrack[gpu]" (reidtrack doctor says more); or ask for device cpu'
    )


def _check_file(path: Path) -> None:
    if not path.exists():
        raise ModelError(f"model {path} does not exist")
    if not path.is_file():
        raise ModelError(f"model {path} must be an ONNX file, got a folder or device")
    size = path.stat().st_size
    if size == 0:
        raise ModelError(f"model {path} is empty: copy or download it again")
    if size > _MAX_MODEL_BYTES:
        raise ModelError(f"model {path} must be smaller than 2 GiB, as every ONNX file is, got {size} bytes")


def _check_contents(path: Path, external_data: bool, custom_ops: bool) -> tuple[Path, ...]:
    """Refuse what the file may not bring along; returns its files of weights where they are allowed."""
    contents = read_contents(path)
    if contents.custom_operators and not custom_ops:
        raise ModelError(
            f"model {path} uses operators that onnxruntime does not have (custom operators): "
            f"{', '.join(sorted(contents.custom_operators)[:4])}. Export it with ONNX's own operators, or name the "
            "library that has them: open_session(custom_ops=...)"
        )
    if contents.external_files and not external_data:
        raise ModelError(
            f"model {path} keeps its weights in other files ({', '.join(sorted(contents.external_files)[:4])}), "
            "which can be exchanged without the model changing: export it with the weights inside, or put them there "
            f"""by python -c "import onnx; onnx.save(onnx.load('{path.name}'), 'whole.onnx')", """
            "or allow it: external_data=True"
        )
    return external_paths(path, contents.external_files)


def _load_failure(path: Path, error: Exception) -> str:
    text = str(error)
    if "not a registered function/op" in text or "No Op registered" in text:
        return f"model {path} uses operators that onnxruntime does not have (is it too old?): {_first_line(error)}"
    if "Protobuf parsing failed" in text or "InvalidProtobuf" in type(error).__name__:
        return f"model {path} is not an ONNX file, or is cut off: export, copy or download it again"
    return f"model {path} cannot be loaded: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _tensor_info(value: Any, path: Path) -> TensorInfo:
    text = str(value.type)
    inner = text[len("tensor(") : -1] if text.startswith("tensor(") else ""
    dtype = _DTYPES.get(inner, inner)
    if dtype not in _NUMPY_DTYPES:
        raise ModelError(f"model {path}: {value.name} must be a tensor of numbers, got {text}")
    shape = tuple(size if isinstance(size, int) and size >= 0 else None for size in value.shape)
    return TensorInfo(str(value.name), shape, dtype)
