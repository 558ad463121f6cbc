"""The Estimator and the Model that Spark's users know."""

import gc

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.functions import array_to_vector
from sparked import FITS, PLAIN

import gaussmix
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import (
    DataError,
    ModelFileError,
    SettingsError,
)
from gaussmix.learning.search import search
from gaussmix.spark import GaussianMixture, GaussianMixtureModel, _scored

# PySpark 4 says so wherever it meets pandas 3, of which it needs nothing here that changed.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.xdist_group("spark"),
]


@pytest.fixture(scope="module")
def fitted(vectors):
    return estimator(weightCol="w", logDensityCol="density").fit(vectors)


def estimator(**params):
    return GaussianMixture(k=3, nInit=1, **params)


def test_the_estimator_fits_what_gaussmix_fits(fitted, table):
    known = search(MemoryRows(*table), FITS[0])
    np.testing.assert_allclose(fitted.mixture.means, known.mixture.means, rtol=1e-10)
    np.testing.assert_allclose(fitted.weights, known.mixture.weights, rtol=1e-10)
    assert fitted.summary.logLikelihood == pytest.approx(known.log_likelihood, rel=1e-10)
    assert fitted.summary.clusterSizes == known.review.assigned.tolist()
    assert str(fitted.summary) == str(known.outcome)
    assert fitted.summary.converged
    assert (fitted.summary.k, fitted.summary.numIter) == (3, known.n_iterations)
    assert fitted.summary.facts.feature_names == tuple(PLAIN)


def test_transform_adds_what_mllibs_does(fitted, vectors, table):
    from pyspark.ml.linalg import DenseVector

    found = fitted.transform(vectors)
    assert dict(found.dtypes)["prediction"] == "int"
    assert dict(found.dtypes)["probability"] == "vector"
    rows = found.select(*PLAIN, "prediction", "probability", "density").collect()
    matrix = np.array([row[:3] for row in rows])
    np.testing.assert_array_equal(matrix, table[0])
    np.testing.assert_array_equal([row.prediction for row in rows], fitted.mixture.labels(matrix))
    shares = np.array([row.probability.toArray() for row in rows])
    np.testing.assert_allclose(shares, fitted.mixture.shares(matrix), rtol=1e-10, atol=1e-300)
    np.testing.assert_allclose([row.density for row in rows], fitted.mixture.log_density(matrix), rtol=1e-12)
    one = DenseVector(matrix[0])
    assert fitted.predict(one) == rows[0].prediction
    assert fitted.predictProbability(one) == rows[0].probability
    assert fitted.predictLogDensity(one) == pytest.approx(rows[0].density, rel=1e-12)


def test_noise_is_minus_one_and_a_last_probability(session, frame, table):
    asked = estimator(inputCols=PLAIN, noise=True, covarianceType="diag", predictionCol="group")
    model = asked.setTol(1e-3).fit(frame)
    assert sum(model.weights) < 1.0
    far = session.createDataFrame([(0.0, 0.0, 0.0), (4.0, -9.0, 9.0)], PLAIN)
    middle, out = model.transform(far).select("group", "probability").collect()
    assert middle.group in (0, 1, 2)
    assert out.group == -1
    assert len(out.probability) == 4
    assert out.probability[3] > 0.5


def test_columns_of_a_transform_can_be_left_out_and_are_never_replaced(fitted, vectors):
    bare = fitted.copy().setProbabilityCol("").setLogDensityCol("")
    assert bare.transform(vectors).columns == [*vectors.columns, "prediction"]
    with pytest.raises(DataError, match="a column 'w' already"):
        fitted.copy({fitted.predictionCol: "w"}).transform(vectors)
    with pytest.raises(SettingsError, match="two columns would have one name"):
        fitted.copy({fitted.predictionCol: "probability"}).transform(vectors)
    plain = GaussianMixtureModel(fitted._known()).setInputCols(["a", "b"])
    with pytest.raises(DataError, match="2 columns, and the mixture has 3"):
        plain.transform(vectors)


def test_rows_that_cannot_be_scored_are_refused(fitted, vectors):
    from pyspark.errors import PySparkException
    from pyspark.ml.linalg import Vectors

    wrong = vectors.selectExpr("array(a, b) as features")
    with pytest.raises(PySparkException, match="not the 3 values"):
        fitted.transform(wrong).select("prediction").collect()
    with pytest.raises(DataError, match="missing a value or infinite"):
        _scored(fitted.mixture, pd.Series([np.array([1.0, 2.0, 3.0]), np.array([1.0, np.inf, 3.0])]))
    with pytest.raises(DataError, match="no vector"):
        _scored(fitted.mixture, pd.Series([np.array([1.0, 2.0, 3.0]), None]))
    with pytest.raises(DataError, match="has 2 values"):
        fitted.predict(Vectors.dense([1.0, 2.0]))
    with pytest.raises(DataError, match="missing a value or infinite"):
        fitted.predict(Vectors.dense([1.0, 2.0, np.nan]))


def test_gaussians_are_mllibs(fitted):
    rows = fitted.gaussiansDF.collect()
    for row, gaussian, mean, matrix in zip(
        rows, fitted.gaussians, fitted.mixture.means, fitted.mixture.matrices, strict=True
    ):
        np.testing.assert_array_equal(row.mean.toArray(), mean)
        np.testing.assert_array_equal(row.cov.toArray(), matrix)
        np.testing.assert_array_equal(gaussian.cov.toArray(), matrix)


def test_a_saved_model_is_replaced_only_when_asked_and_refused_where_it_is_damaged(fitted, tmp_path):
    from pyspark.errors import PySparkException

    path = tmp_path / "model"
    fitted.save(str(path))
    with pytest.raises(PySparkException, match="already exists"):
        fitted.save(str(path))
    fitted.write().overwrite().save(str(path))
    assert GaussianMixtureModel.load(str(path)).weights == fitted.weights
    (file,) = (path / "model").glob("*.txt")
    for beside in (path / "model").glob(".*.crc"):
        beside.unlink()
    file.write_text(file.read_text()[:500])
    with pytest.raises(ModelFileError, match=f"^{path}/model: not a model file"):
        GaussianMixtureModel.load(str(path))


# PySpark leaves its own pool of threads open.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cross_validator_and_lists_of_params_fit_it(session):
    from pyspark.ml.evaluation import ClusteringEvaluator
    from pyspark.ml.tuning import ParamGridBuilder, TrainValidationSplit

    rows = session.range(60, numPartitions=1).selectExpr("array(id % 2 * 9 + sin(id), cos(id)) as v")
    frame = rows.select(array_to_vector("v").alias("features"))
    asked = GaussianMixture(covarianceType="spherical", nInit=1).setTol(1e-3)
    grid = ParamGridBuilder().addGrid(asked.k, [1, 2]).build()
    chosen = TrainValidationSplit(
        estimator=asked, estimatorParamMaps=grid[1:], evaluator=ClusteringEvaluator(), trainRatio=0.8, seed=1
    ).fit(frame)
    assert chosen.validationMetrics[0] > 0.5
    assert [model.summary.k for model in asked.fit(frame, grid)] == [1, 2]
    gc.collect()


def test_saved_models_and_estimators_read_back(fitted, vectors, tmp_path):
    fitted.save(str(tmp_path / "model"))
    again = GaussianMixtureModel.load(str(tmp_path / "model"))
    for name in ("weights", "means", "covariances"):
        np.testing.assert_array_equal(getattr(again.mixture, name), getattr(fitted.mixture, name))
    assert again.uid == fitted.uid
    assert str(again.summary) == str(fitted.summary)
    assert again.getLogDensityCol() == "density"
    assert again.transform(vectors).columns == fitted.transform(vectors).columns
    fitted.saveModelFile(tmp_path / "model.json")
    assert gaussmix.load(tmp_path / "model.json").means_.tolist() == fitted.mixture.means.tolist()
    assert fitted.toLocal().converged_
    asked = GaussianMixture(k=4, nInit=3, prior="none", inputCols=["a"], seed=5)
    asked.save(str(tmp_path / "asked"))
    with pytest.raises(ModelFileError, match="no fitted mixture in it"):
        GaussianMixtureModel.load(str(tmp_path / "asked"))
    read = GaussianMixture.load(str(tmp_path / "asked"))
    assert {p.name: v for p, v in read.extractParamMap().items()} == {
        p.name: v for p, v in asked.extractParamMap().items()
    }


def test_a_pipeline_is_fitted_saved_and_read_back(frame, fitted, tmp_path):
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.feature import VectorAssembler

    stages = [VectorAssembler(inputCols=PLAIN, outputCol="features"), estimator(weightCol="w", seed=1)]
    model = Pipeline(stages=stages).fit(frame)
    model.save(str(tmp_path / "pipeline"))
    again = PipelineModel.load(str(tmp_path / "pipeline"))
    np.testing.assert_array_equal(again.stages[1].mixture.means, model.stages[1].mixture.means)
    np.testing.assert_allclose(again.stages[1].mixture.means, fitted.mixture.means, rtol=1e-9)
    assert again.transform(frame).columns == [*frame.columns, "features", "prediction", "probability"]


def test_params_are_set_copied_and_checked(vectors):
    asked = GaussianMixture(k=3)
    assert (asked.getK(), asked.getTol(), asked.getMaxIter(), asked.getSeed()) == (3, 1e-9, 10_000, 0)
    assert asked.getNInit() == "auto"
    other = asked.copy({asked.k: 5})
    assert (asked.getK(), other.getK()) == (3, 5)
    asked.setParams(k=2, covarianceType="tied").setPrior("none").setNInit(4).setWeightCol("w").setSeed(9)
    asked.setFeaturesCol("f").setPredictionCol("p").setProbabilityCol("q").setLogDensityCol("d").setMaxIter(7)
    asked.setNoise(True).setEqualWeights(True).setRegCovar(0.5).setTol(0.1).setK(4)
    settings = asked._settings()
    found = (settings.n_components, settings.covariance_type, settings.prior, settings.tol, settings.max_iter)
    assert found == (4, "tied", "none", 0.1, 7)
    found = (settings.n_init, settings.reg_covar, settings.seed, settings.noise, settings.equal_weights)
    assert found == (4, 0.5, 9, True, True)
    columns = (
        asked._columns(),
        asked.getPredictionCol(),
        asked.getProbabilityCol(),
        asked.getLogDensityCol(),
    )
    assert (*columns, asked.getWeightCol()) == ("f", "p", "q", "d", "w")
    with pytest.raises(TypeError):
        GaussianMixture(3)
    with pytest.raises(TypeError):
        GaussianMixture(k="three")
    with pytest.raises(SettingsError, match="covariance"):
        GaussianMixture(covarianceType="round").fit(vectors)
    with pytest.raises(SettingsError, match="not both"):
        GaussianMixture(featuresCol="features", inputCols=PLAIN).fit(vectors)
    with pytest.raises(SettingsError, match="holds no mixture"):
        _ = GaussianMixtureModel().weights
