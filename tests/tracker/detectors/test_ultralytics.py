"""Against Ultralytics itself. Random weights: what counts is that both read the same numbers alike.

These need ultralytics and run in an environment of their own; the first two tests run where it is absent.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracker.boxes import iou
from tracker.detectors import OnnxDetector, OnnxDetectorConfig, UltralyticsDetector, open_detector
from tracker.errors import ConfigError, MissingExtraError, ModelError
from tracker.types import Frame

PRESENT = importlib.util.find_spec("ultralytics") is not None
needs_ultralytics = pytest.mark.skipif(not PRESENT, reason="ultralytics is not installed (extra yolo)")
# torch and its exporter warn about themselves; the project's own warnings stay errors
quiet = pytest.mark.filterwarnings("default")


@pytest.mark.skipif(PRESENT, reason="ultralytics is installed")
def test_the_missing_extra_is_named() -> None:
    with pytest.raises(MissingExtraError) as error:
        open_detector("yolo11n.pt")
    assert str(error.value).endswith('which is not installed: pip install "reidtrack[yolo]"')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tensorrt"}, r"device must be auto, cpu or cuda\[:N\] for an Ultralytics model, got 'tensorrt'"),
        ({"conf": 2.0}, "conf must be within 0..1, got 2.0"),
        ({"nms_iou": -1.0}, "nms_iou must be within 0..1, got -1.0"),
        ({"max_detections": 0}, "max_detections must be at least 1, got 0"),
    ],
)
def test_settings_are_checked_before_anything_is_loaded(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        UltralyticsDetector("yolo11n.pt", **options)


@pytest.fixture(scope="module")
def picture() -> Frame:
    rng = np.random.default_rng(3)
    image = np.kron(rng.integers(0, 255, (12, 16, 3)), np.ones((40, 40, 1))).astype(np.uint8)  # (480, 640, 3)
    return Frame(image, 1, 0.0)


@pytest.fixture(scope="module", params=["yolo11n", "yolov8n", "yolov5n"])
def weights(request: Any, picture: Frame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, the class layers scaled so that some hundred cells score: the usual start scores nothing."""
    import torch
    from ultralytics import YOLO

    torch.manual_seed(5)
    model = YOLO(f"{request.param}.yaml", task="detect")
    network = model.model
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # one picture sets the running statistics, so that features keep their scale

    def enliven(layer: Any, inputs: Any, output: Any) -> Any:
        with torch.no_grad():
            logits = output - layer.bias.view(1, -1, 1, 1)
            layer.weight.mul_(2.0 / logits.std())
            layer.bias.copy_(-8.0 - 2.0 * logits.mean((0, 2, 3)) / logits.std())

    tensor = torch.from_numpy(np.ascontiguousarray(picture.image[..., ::-1].transpose(2, 0, 1)))[None] / 255
    with torch.no_grad():
        network.train()(tensor)
        hooks = [branch[-1].register_forward_hook(enliven) for branch in network.model[-1].cv3]
        network.eval()(tensor)
    for hook in hooks:
        hook.remove()
    path = tmp_path_factory.mktemp("weights") / "random.pt"  # a published name would be looked for on the network
    model.save(str(path))
    return path


@needs_ultralytics
@quiet
@pytest.mark.ultralytics
def test_detections_are_those_of_ultralytics(weights: Path, picture: Frame) -> None:
    from ultralytics import YOLO

    detector = open_detector(weights, device="cpu", conf=0.25)
    found = detector(picture)
    theirs = YOLO(str(weights)).predict(picture.image, conf=0.25, iou=0.7, device="cpu", verbose=False)[0].boxes
    assert len(found) == len(theirs) > 5
    np.testing.assert_allclose(found.boxes, theirs.xyxy.numpy(), atol=1e-3)
    np.testing.assert_allclose(found.scores, theirs.conf.numpy(), atol=1e-6)
    assert len(detector.class_names) == 80
    assert found.frame_size == (640, 480)


@needs_ultralytics
@quiet
@pytest.mark.ultralytics
def test_classes_are_filtered_and_refused(weights: Path, picture: Frame) -> None:
    every = open_detector(weights, device="cpu", conf=0.25)(picture)
    one = int(np.bincount(every.classes).argmax())
    only = open_detector(weights, device="cpu", conf=0.25, classes=[one])(picture)
    assert len(only) > 0
    assert set(only.classes.tolist()) == {one}
    with pytest.raises(ConfigError, match="has no class 'person'; it knows 0, 1, 2"):
        open_detector(weights, classes=["person"])


@needs_ultralytics
@quiet
@pytest.mark.ultralytics
@pytest.mark.parametrize("dynamic", [False, True], ids=["fixed", "dynamic"])
def test_the_export_is_read_as_ultralytics_reads_it(weights: Path, picture: Frame, dynamic: bool) -> None:
    """The same tensor, once through Ultralytics's own suppression and once through ours."""
    import torch
    from ultralytics import YOLO
    from ultralytics.utils import ops

    try:
        from ultralytics.utils.nms import non_max_suppression
    except ImportError:
        from ultralytics.utils.ops import non_max_suppression

    exported = YOLO(str(weights)).export(format="onnx", imgsz=640, dynamic=dynamic, simplify=False, verbose=False)
    config = OnnxDetectorConfig(conf=0.25, nms_iou=0.7, max_detections=300)
    detector = OnnxDetector(exported, config, device="cpu")
    assert detector.family.name == "yolo"
    assert detector.input_size == (640, 640)
    assert detector.class_names[79] == "79"
    seen: list[Any] = []
    run = detector._session.run
    detector._session.run = lambda feeds: seen.append(run(feeds)) or seen[-1]  # type: ignore[method-assign,func-returns-value]
    mine = detector(picture)
    raw = torch.from_numpy(seen[0][0].copy())
    theirs = non_max_suppression(raw, 0.25, 0.7, max_det=300, nc=80)[0]
    boxes = ops.scale_boxes((640, 640), theirs[:, :4], (480, 640)).numpy()  # clipped to the picture
    clipped = np.clip(mine.boxes, 0, [640, 480, 640, 480])
    assert len(mine) == len(theirs) > 5
    best = iou(boxes.astype(np.float32), clipped.astype(np.float32)).argmax(axis=1)
    assert sorted(best.tolist()) == list(range(len(mine)))
    np.testing.assert_allclose(clipped[best], boxes, atol=0.01)
    np.testing.assert_allclose(mine.scores[best], theirs[:, 4].numpy(), atol=1e-5)
    assert mine.classes[best].tolist() == theirs[:, 5].int().tolist()


@needs_ultralytics
@quiet
@pytest.mark.ultralytics
def test_preprocessing_is_that_of_ultralytics(weights: Path, picture: Frame) -> None:
    """From picture to boxes: the exported model here, the original there."""
    from ultralytics import YOLO

    model = YOLO(str(weights))
    exported = model.export(format="onnx", imgsz=640, simplify=False, verbose=False)
    mine = OnnxDetector(exported, OnnxDetectorConfig(conf=0.3, nms_iou=0.7), device="cpu")(picture)
    theirs = YOLO(exported, task="detect").predict(picture.image, conf=0.3, iou=0.7, verbose=False)[0].boxes
    assert len(mine) == len(theirs) > 5
    np.testing.assert_allclose(np.sort(mine.scores), np.sort(theirs.conf.numpy()), atol=1e-3)


@needs_ultralytics
@quiet
@pytest.mark.ultralytics
def test_exports_that_suppress_by_themselves(weights: Path, picture: Frame) -> None:
    from ultralytics import YOLO

    exported = YOLO(str(weights)).export(format="onnx", imgsz=640, nms=True, conf=0.25, iou=0.7, simplify=False)
    detector = OnnxDetector(exported, OnnxDetectorConfig(conf=0.25), device="cpu")
    assert detector.family.name == "end_to_end"
    plain = open_detector(weights, device="cpu", conf=0.25)(picture)
    np.testing.assert_allclose(np.sort(detector(picture).scores)[-20:], np.sort(plain.scores)[-20:], atol=0.02)


@needs_ultralytics
@quiet
@pytest.mark.ultralytics
def test_models_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="Ultralytics cannot load"):
        open_detector(tmp_path / "broken.pt")
