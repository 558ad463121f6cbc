"""The params of `gaussmix.spark`: those of MLlib's mixture under its names, and some of ours."""
# ruff: noqa: N802, N815  (Spark's users know these names in mixed case)

from typing import Any, Self

from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import (
    HasFeaturesCol,
    HasInputCols,
    HasMaxIter,
    HasPredictionCol,
    HasProbabilityCol,
    HasSeed,
    HasTol,
    HasWeightCol,
)

from gaussmix.errors import SettingsError
from gaussmix.learning.settings import (
    DEFAULT_MAX_ITER,
    DEFAULT_N_INIT,
    DEFAULT_SEED,
    DEFAULT_TOL,
    FitSettings,
)


def _to_n_init(value: Any) -> int | str:
    return "auto" if isinstance(value, str) and value == "auto" else TypeConverters.toInt(value)


class MixtureParams(
    HasFeaturesCol,
    HasInputCols,
    HasWeightCol,
    HasPredictionCol,
    HasProbabilityCol,
    HasTol,
    HasMaxIter,
    HasSeed,
):
    """Params of the estimator and of its model."""

    k: Param[int] = Param(
        Params._dummy(), "k", "number of components, at least 1", typeConverter=TypeConverters.toInt
    )
    covarianceType: Param[str] = Param(
        Params._dummy(),
        "covarianceType",
        "covariance model: full, tied, diag, spherical, or one of mclust's fourteen names",
        typeConverter=TypeConverters.toString,
    )
    prior: Param[str] = Param(
        Params._dummy(), "prior", "weak, conjugate or none", typeConverter=TypeConverters.toString
    )
    noise: Param[bool] = Param(
        Params._dummy(),
        "noise",
        "whether some rows may belong to no component; their prediction is -1, and probability has an entry "
        "more",
        typeConverter=TypeConverters.toBoolean,
    )
    equalWeights: Param[bool] = Param(
        Params._dummy(),
        "equalWeights",
        "whether all components have one weight",
        typeConverter=TypeConverters.toBoolean,
    )
    nInit: Param[int | str] = Param(
        Params._dummy(),
        "nInit",
        "number of starts, of which the best is kept, or auto for a search",
        typeConverter=_to_n_init,
    )
    regCovar: Param[float] = Param(
        Params._dummy(),
        "regCovar",
        "added to the diagonal of every covariance",
        typeConverter=TypeConverters.toFloat,
    )
    logDensityCol: Param[str] = Param(
        Params._dummy(),
        "logDensityCol",
        "column for the log density of each row, in nats; there is none unless this is set",
        typeConverter=TypeConverters.toString,
    )

    def __init__(self) -> None:
        super().__init__()
        self._setDefault(
            k=2,
            covarianceType="full",
            prior="weak",
            noise=False,
            equalWeights=False,
            nInit=DEFAULT_N_INIT,
            regCovar=0.0,
            logDensityCol="",
            weightCol="",
            tol=DEFAULT_TOL,
            maxIter=DEFAULT_MAX_ITER,
            # Spark's own default is another in each process.
            seed=DEFAULT_SEED,
        )

    def getK(self) -> int:
        return self.getOrDefault(self.k)

    def getCovarianceType(self) -> str:
        return self.getOrDefault(self.covarianceType)

    def getPrior(self) -> str:
        return self.getOrDefault(self.prior)

    def getNoise(self) -> bool:
        return self.getOrDefault(self.noise)

    def getEqualWeights(self) -> bool:
        return self.getOrDefault(self.equalWeights)

    def getNInit(self) -> int | str:
        return self.getOrDefault(self.nInit)

    def getRegCovar(self) -> float:
        return self.getOrDefault(self.regCovar)

    def getLogDensityCol(self) -> str:
        return self.getOrDefault(self.logDensityCol)

    def setFeaturesCol(self, value: str) -> Self:
        return self._set(featuresCol=value)

    def setInputCols(self, value: list[str]) -> Self:
        return self._set(inputCols=value)

    def setPredictionCol(self, value: str) -> Self:
        return self._set(predictionCol=value)

    def setProbabilityCol(self, value: str) -> Self:
        return self._set(probabilityCol=value)

    def setLogDensityCol(self, value: str) -> Self:
        return self._set(logDensityCol=value)

    def _columns(self) -> str | list[str]:
        """Columns of numbers, or that of vectors.

        Raises
        ------
        SettingsError
            If both are given.
        """
        if not self.isSet(self.inputCols):
            return self.getFeaturesCol()
        if self.isSet(self.featuresCol):
            raise SettingsError(
                "set inputCols (columns of numbers) or featuresCol (a column of vectors), not both"
            )
        return self.getInputCols()


class FitParams(MixtureParams):
    """Setters of what only a fit asks for."""

    def setK(self, value: int) -> Self:
        return self._set(k=value)

    def setCovarianceType(self, value: str) -> Self:
        return self._set(covarianceType=value)

    def setPrior(self, value: str) -> Self:
        return self._set(prior=value)

    def setNoise(self, value: bool) -> Self:
        return self._set(noise=value)

    def setEqualWeights(self, value: bool) -> Self:
        return self._set(equalWeights=value)

    def setNInit(self, value: int | str) -> Self:
        return self._set(nInit=value)

    def setRegCovar(self, value: float) -> Self:
        return self._set(regCovar=value)

    def setWeightCol(self, value: str) -> Self:
        return self._set(weightCol=value)

    def setTol(self, value: float) -> Self:
        return self._set(tol=value)

    def setMaxIter(self, value: int) -> Self:
        return self._set(maxIter=value)

    def setSeed(self, value: int) -> Self:
        return self._set(seed=value)

    def _settings(self) -> FitSettings:
        return FitSettings(
            self.getK(),
            self.getCovarianceType(),
            prior=self.getPrior(),
            tol=self.getTol(),
            max_iter=self.getMaxIter(),
            n_init=self.getNInit(),
            reg_covar=self.getRegCovar(),
            seed=self.getSeed(),
            noise=self.getNoise(),
            equal_weights=self.getEqualWeights(),
        )
