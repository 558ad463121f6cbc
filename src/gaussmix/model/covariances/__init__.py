"""Covariance models: one contract, one class for each, one registry."""

from gaussmix.model.covariances.contract import CovarianceFamily
from gaussmix.model.covariances.registry import FAMILIES, ONE_DIMENSION, covariance_family, free_cousin

__all__ = ["FAMILIES", "ONE_DIMENSION", "CovarianceFamily", "covariance_family", "free_cousin"]
