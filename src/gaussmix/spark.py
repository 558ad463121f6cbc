"""Gaussian mixtures for Spark DataFrames, with the interface of ``pyspark.ml``.

``GaussianMixture`` is an ``Estimator`` and stands where MLlib's stood: alone or in a ``Pipeline``. What it
fits is what the rest of gaussmix would fit to the same rows in memory.
"""
# ruff: noqa: N802, N815  (Spark's users know these names in mixed case)
# ruff: noqa: ARG002  (`keyword_only` hands on what was given)

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning

try:
    from pyspark import keyword_only
    from pyspark.errors import PySparkException
    from pyspark.ml import Estimator, Model
    from pyspark.ml.functions import array_to_vector
    from pyspark.ml.linalg import DenseMatrix, DenseVector, Vector
    from pyspark.ml.stat import MultivariateGaussian
    from pyspark.ml.util import (
        DefaultParamsReadable,
        DefaultParamsReader,
        DefaultParamsWritable,
        DefaultParamsWriter,
        MLReadable,
        MLReader,
        MLWritable,
        MLWriter,
    )
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql import functions as sf
    from pyspark.sql.pandas.functions import pandas_udf
except ImportError as missing:
    raise ImportError(f'gaussmix.spark needs {missing.name}: pip install "gaussmix[spark]"') from missing

from gaussmix.data.cluster.spark import SparkRows
from gaussmix.data.cluster.spark_columns import checked_fields, is_nested, is_single, row_values
from gaussmix.data.cluster.spark_work import task_threads
from gaussmix.errors import ComponentWarning, DataError, ModelFileError, SettingsError
from gaussmix.estimators.sparkparams import FitParams, MixtureParams
from gaussmix.learning.outcome import Outcome
from gaussmix.learning.scoring import score_tile
from gaussmix.learning.search import search
from gaussmix.model.mixture import Mixture
from gaussmix.modelfile import SavedModel, load_model, save_model
from gaussmix.report.summary import FitSummary, of_saved, summarise, to_saved

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

    from gaussmix import GaussianMixture as LocalMixture

__all__ = ["GaussianMixture", "GaussianMixtureModel", "GaussianMixtureSummary"]

SCORES = "prediction int, probability array<double>, logDensity double"
# Where a saved model's own file is.
MODEL = "model"


@dataclass(frozen=True)
class GaussianMixtureSummary:
    """How a fit went; ``str`` of it is a sentence."""

    k: int
    logLikelihood: float
    """Of all rows, in nats."""
    numIter: int
    """M-steps of the climb that won."""
    clusterSizes: list[float]
    """Row weight for which each component is the likeliest: (K,)."""
    converged: bool
    outcome: str
    bic: float
    """-2 log L + p log n: lower is better."""
    facts: FitSummary
    """All that the command line would print."""

    def __str__(self) -> str:
        return self.outcome


class _ModelWriter(DefaultParamsWriter):
    """Writes params as Spark does, and beside them a model file of ours."""

    def __init__(self, instance: "GaussianMixtureModel") -> None:
        super().__init__(instance)
        self._model = instance

    def saveImpl(self, path: str) -> None:
        super().saveImpl(path)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, MODEL)
            save_model(self._model._known(), file)
            text = file.read_text(encoding="utf-8")
        lines = self.sparkSession.createDataFrame([(text,)], "value string")
        lines.coalesce(1).write.text(f"{path}/{MODEL}")


class _ModelReader(DefaultParamsReader["GaussianMixtureModel"]):
    """Reads both back."""

    def load(self, path: str) -> "GaussianMixtureModel":
        model = super().load(path)
        try:
            found = self.sparkSession.read.text(f"{path}/{MODEL}", wholetext=True).head()
        except PySparkException as error:
            raise ModelFileError(
                f"{path}: there is no fitted mixture in it; an estimator is read back with "
                "GaussianMixture.load"
            ) from error
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, MODEL)
            file.write_text("" if found is None else found[0], encoding="utf-8")
            try:
                model._saved = load_model(file)
            except ModelFileError as error:
                # Of the file that is there, not of this copy.
                raise ModelFileError(str(error).replace(str(file), f"{path}/{MODEL}")) from error
        return model


class GaussianMixtureModel(Model, MixtureParams, MLReadable["GaussianMixtureModel"], MLWritable):
    """A fitted mixture, which says of each row of a DataFrame where it belongs.

    ``transform`` adds ``predictionCol`` (int, the likeliest component from 0, or -1 for noise),
    ``probabilityCol`` (a vector of K, with noise K + 1 with noise last) and, if it is set,
    ``logDensityCol`` (double, nats). A column whose name is set to "" is not added.
    """

    def __init__(self, saved: SavedModel | None = None) -> None:
        super().__init__()
        self._saved = saved

    @property
    def mixture(self) -> Mixture:
        """Weights (K,), means (K, D) and covariances, as arrays."""
        return self._known().mixture

    @property
    def weights(self) -> list[float]:
        """Mixing proportions of the components; with noise they add up to less than 1."""
        return [float(weight) for weight in self.mixture.weights]

    @property
    def numFeatures(self) -> int:
        """D."""
        return self.mixture.n_features

    @property
    def gaussians(self) -> list[MultivariateGaussian]:
        """Mean and covariance of each component."""
        mixture = self.mixture
        return [
            MultivariateGaussian(DenseVector(mean), DenseMatrix(len(mean), len(mean), matrix.ravel("F")))
            for mean, matrix in zip(mixture.means, mixture.matrices, strict=True)
        ]

    @property
    def gaussiansDF(self) -> DataFrame:
        """The same as a DataFrame: columns mean (vector) and cov (matrix)."""
        rows = [(gaussian.mean, gaussian.cov) for gaussian in self.gaussians]
        return SparkSession.active().createDataFrame(rows, ["mean", "cov"])

    @property
    def hasSummary(self) -> bool:
        """Whether it is known how the fit went."""
        return "outcome" in self._known().facts

    @property
    def summary(self) -> GaussianMixtureSummary:
        """How the fit went.

        Raises
        ------
        SettingsError
            If this mixture was not fitted.
        """
        if not self.hasSummary:
            raise SettingsError("nothing is known of how this mixture was fitted")
        all_facts = of_saved(self._known())
        facts = all_facts.facts
        return GaussianMixtureSummary(
            k=all_facts.n_components,
            logLikelihood=facts["log_likelihood"],
            numIter=facts["n_iterations"],
            clusterSizes=facts["rows_assigned"],
            converged=facts["converged"],
            outcome=facts["outcome_sentence"],
            bic=facts["bic"],
            facts=all_facts,
        )

    def predict(self, value: Vector) -> int:
        """The likeliest component of one vector (D,), counted from 0, or -1 for noise."""
        return int(self.mixture.labels(self._row(value))[0])

    def predictProbability(self, value: Vector) -> DenseVector:
        """The responsibilities for one vector (D,): (K,), with noise (K + 1,), noise last."""
        return DenseVector(self.mixture.shares(self._row(value))[0])

    def predictLogDensity(self, value: Vector) -> float:
        """The log density of one vector (D,), in nats."""
        return float(self.mixture.log_density(self._row(value))[0])

    def toLocal(self) -> "LocalMixture":
        """The same mixture as gaussmix's own estimator, for plots, reports and rows in memory."""
        from gaussmix.estimators.loading import load

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, MODEL)
            self.saveModelFile(file)
            return load(file)

    def saveModelFile(self, path: str | Path) -> None:
        """Write one local file that ``gaussmix.load`` and the command line read."""
        save_model(self._known(), path)

    def write(self) -> MLWriter:
        return _ModelWriter(self)

    @classmethod
    def read(cls) -> "MLReader[GaussianMixtureModel]":
        return _ModelReader(cls)  # type: ignore[arg-type]

    def _transform(self, dataset: DataFrame) -> DataFrame:
        columns, mixture = self._columns(), self.mixture
        fields, _ = checked_fields(dataset, columns, None)
        n_given = mixture.n_features if is_nested(fields[0].dataType) else len(fields)
        if n_given != mixture.n_features:
            raise DataError(f"there are {n_given} columns, and the mixture has {mixture.n_features} features")
        added = {
            "prediction": self.getPredictionCol(),
            "probability": self.getProbabilityCol(),
            "logDensity": self.getLogDensityCol(),
        }
        added = {what: name for what, name in added.items() if name}
        if len({name.lower() for name in added.values()}) < len(added):
            raise SettingsError(f"two columns would have one name: {', '.join(added.values())}")
        for name in added.values():
            if name in dataset.columns:
                raise DataError(f"there is a column {name!r} already: drop it, or set another name")
        values = row_values(fields, all(is_single(field.dataType) for field in fields))
        held = f"{self.uid}_scores"
        found = dataset.withColumn(held, _scorer(mixture)(values))
        for what, name in added.items():
            part = sf.col(held)[what]
            found = found.withColumn(name, array_to_vector(part) if what == "probability" else part)
        return found.drop(held)

    def _known(self) -> SavedModel:
        if self._saved is None:
            raise SettingsError("this model holds no mixture: fit one, or load one")
        return self._saved

    def _row(self, value: Vector) -> np.ndarray:
        row = np.asarray(value.toArray(), dtype=np.float64)[None]
        return _sound(row, self.numFeatures)


class GaussianMixture(
    Estimator[GaussianMixtureModel],
    FitParams,
    DefaultParamsReadable["GaussianMixture"],
    DefaultParamsWritable,
):
    """Gaussian mixture fitted by EM to the rows of a DataFrame, wherever Spark has them.

    Parameters
    ----------
    featuresCol : str, default "features"
        A column of vectors, or of arrays of numbers.
    inputCols : list of str, optional
        Columns of numbers, instead of a column of vectors.
    weightCol : str, optional
        Row weights: 2 counts a row twice, 0 leaves it out.
    predictionCol, probabilityCol, logDensityCol : str
        Columns that the model adds.
    k : int, default 2
        Number of components.
    covarianceType : str, default "full"
        full, tied, diag, spherical, or one of mclust's fourteen names.
    prior : {"weak", "conjugate", "none"}, default "weak"
        As in ``gaussmix.GaussianMixture``.
    noise : bool, default False
        Whether some rows may belong to no component.
    equalWeights : bool, default False
        Whether all components have one weight.
    nInit : int or "auto", default "auto"
        Starts, of which the best is kept, or a search.
    tol : float, default 1e-9
        Largest estimated remaining gain, in nats a row. Not the size of one step, as in MLlib.
    maxIter : int, default 10000
        Largest number of M-steps.
    regCovar : float, default 0
        Added to the diagonal of every covariance.
    seed : int, default 0
        Of everything random.

    Examples
    --------
    ``GaussianMixture(k=3, featuresCol="features").fit(df).transform(df)``
    """

    _input_kwargs: dict[str, Any]

    @keyword_only
    def __init__(
        self,
        *,
        featuresCol: str = "features",
        inputCols: list[str] | None = None,
        weightCol: str | None = None,
        predictionCol: str = "prediction",
        probabilityCol: str = "probability",
        logDensityCol: str = "",
        k: int = 2,
        covarianceType: str = "full",
        prior: str = "weak",
        noise: bool = False,
        equalWeights: bool = False,
        nInit: int | str = "auto",
        tol: float = 1e-9,
        maxIter: int = 10_000,
        regCovar: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self._set(**self._input_kwargs)

    def setParams(self, **params: Any) -> Self:
        """Set any of the constructor's params, by name."""
        return self._set(**params)

    def _fit(self, dataset: DataFrame) -> GaussianMixtureModel:
        settings = self._settings()
        with SparkRows(dataset, columns=self._columns(), weights=self.getWeightCol() or None) as rows:
            result = search(rows, settings)
            named = rows.feature_names != tuple(f"x{j + 1}" for j in range(len(rows.feature_names)))
            summary = summarise(result, rows, settings, columns_named=named)
        _warn(result.outcome, settings.max_iter)
        model = GaussianMixtureModel(to_saved(summary, result.mixture))
        model._resetUid(self.uid)
        return self._copyValues(model)


def _scorer(mixture: Mixture) -> Any:
    """A user-defined function of Spark: arrays of numbers to prediction, probability and log density."""
    import pandas as pd

    def score(rows: pd.Series) -> pd.DataFrame:
        return _scored(mixture, rows)

    return pandas_udf(score, SCORES)  # type: ignore[call-overload]


def _scored(mixture: Mixture, rows: "pd.Series") -> "pd.DataFrame":
    import pandas as pd

    if rows.isna().any():
        raise DataError("a row to score has no vector (null): drop such rows, or fill them in first")
    if len({len(row) for row in rows} - {mixture.n_features}):
        raise DataError(f"a vector to score has not the {mixture.n_features} values of the mixture")
    matrix = np.array(rows.tolist(), dtype=np.float64).reshape(-1, mixture.n_features)
    with task_threads():
        scores = score_tile(mixture, _sound(matrix, mixture.n_features))
    return pd.DataFrame(
        {
            "prediction": scores.labels.astype(np.int32),
            "probability": list(scores.responsibilities),
            "logDensity": scores.log_densities,
        }
    )


def _sound(rows: np.ndarray, n_features: int) -> np.ndarray:
    if rows.shape[1] != n_features:
        raise DataError(f"the vector has {rows.shape[1]} values, and the mixture {n_features} features")
    if not np.isfinite(rows).all():
        row = rows[~np.isfinite(rows).all(axis=1)][0]
        raise DataError(
            f"a row to score is missing a value or infinite: {row}. Drop such rows, or fill them in"
        )
    return rows


def _warn(outcome: Outcome, max_iter: int) -> None:
    if not outcome.converged and max_iter > 0:
        warnings.warn(str(outcome), ConvergenceWarning, stacklevel=4)
    elif outcome.doubts:
        warnings.warn(str(outcome), ComponentWarning, stacklevel=4)
