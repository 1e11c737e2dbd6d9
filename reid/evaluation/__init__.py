"""How good an embedder is: retrieval, verification, re-association and robustness, without torch.

docs/evaluation.md defines every measure.
"""

from reid.evaluation.bootstrap import Estimate
from reid.evaluation.config import EvaluationConfig
from reid.evaluation.reassociation import Reassociation
from reid.evaluation.report import Report
from reid.evaluation.scoring import evaluate

__all__ = ["Estimate", "EvaluationConfig", "Reassociation", "Report", "evaluate"]
