"""Choosing triplets: within a batch, by name or object, or from a whole data set beforehand.

A miner is called with the `Pairs` of a batch and returns `Triplets`. `BatchAll` and `Hard` stand for all triplets and
all hard ones, which losses sum over without listing them.
"""

from reid.learning.loss_choices import MiningName
from reid.learning.mining.all_positives_hard_negative import AllPositivesHardNegative
from reid.learning.mining.at_random import Random
from reid.learning.mining.batch_hard import BatchHard
from reid.learning.mining.distance_weighted import DistanceWeighted
from reid.learning.mining.easy_positive import EasyPositive
from reid.learning.mining.exhaustive import BatchAll, Exhaustive, Hard
from reid.learning.mining.names import MINING, open_miner
from reid.learning.mining.offline import OfflineConfig, OfflineTriplets, Relate, mine_data_set
from reid.learning.mining.pairs import Miner, Pairs, Triplets, pairs_of
from reid.learning.mining.semi_hard import SemiHard, TensorFlowAddonsSemiHard
from reid.learning.mining.triplet_list import TripletBatch, TripletList

__all__ = [
    "MINING",
    "AllPositivesHardNegative",
    "BatchAll",
    "BatchHard",
    "DistanceWeighted",
    "EasyPositive",
    "Exhaustive",
    "Hard",
    "Miner",
    "MiningName",
    "OfflineConfig",
    "OfflineTriplets",
    "Pairs",
    "Random",
    "Relate",
    "SemiHard",
    "TensorFlowAddonsSemiHard",
    "TripletBatch",
    "TripletList",
    "Triplets",
    "mine_data_set",
    "open_miner",
    "pairs_of",
]
