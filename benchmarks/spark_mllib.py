"""Ours beside MLlib's GaussianMixture on one Spark DataFrame.

``python -m benchmarks.spark_mllib [--rows N] [--features D] [--components K] [--partitions P]`` prints
seconds an iteration of each (the difference between a long and a short fit, so that starting does not
count), then each one's fit by its own defaults: seconds, and the log-likelihood a row that gaussmix finds
in the mixture.
"""

import argparse
import os
import sys
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
import pyspark
from pyspark.ml.clustering import GaussianMixture as Theirs
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

from gaussmix.data.cluster.spark import SparkRows
from gaussmix.learning.em import fit_em
from gaussmix.learning.prepare import prepare
from gaussmix.learning.scoring import score_rows
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.starts import make_start
from gaussmix.learning.stopping import Limits
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture

SHORT, LONG = 5, 25


def session(n_processors):
    """Spark in this process, which finds itself and this Python."""
    os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {
        "spark.master": f"local[{n_processors}]",
        "spark.driver.memory": "4g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    made = SparkSession.builder.config(map=settings).getOrCreate()
    made.sparkContext.setLogLevel("OFF")
    return made


def mixed(spark, n_rows, n_features, n_components, n_partitions):
    """Overlapping groups as a persisted column of vectors."""
    rng = np.random.default_rng(0)
    means = 2.0 * rng.normal(size=(n_components, n_features))
    roots = np.eye(n_features) + 0.3 * rng.normal(size=(n_components, n_features, n_features))
    which = rng.integers(0, n_components, n_rows)
    rows = means[which] + np.einsum("nij,nj->ni", roots[which], rng.normal(size=(n_rows, n_features)))
    parts = np.array_split(rows, n_partitions)
    spread = spark.sparkContext.parallelize([part.tolist() for part in parts], n_partitions)
    numbers = spark.createDataFrame(spread.flatMap(lambda part: [(row,) for row in part]), "x array<double>")
    frame = numbers.select(array_to_vector(sf.col("x")).alias("features")).persist()
    frame.count()
    return frame


def timed(work):
    """What work returns, and seconds."""
    began = perf_counter()
    found = work()
    return found, perf_counter() - began


def their_iterations(frame, n_components):
    """Seconds that iterations of MLlib take, at most so many, and how many they were."""

    def seconds(n_steps):
        asked = Theirs(k=n_components, maxIter=n_steps, tol=0.0, seed=0)
        model, taken = timed(lambda: asked.fit(frame))
        return taken, model.summary.numIter

    return seconds


def our_iterations(rows, n_components):
    """The same of gaussmix."""
    settings = FitSettings(n_components, n_init=1)
    step = prepare(rows, settings)
    start = make_start(rows, settings, step, np.random.default_rng(0))

    def seconds(n_steps):
        result, taken = timed(lambda: fit_em(rows, start, step, Limits(0.0, n_steps)))
        return taken, result.n_iterations

    return seconds


def an_iteration(seconds):
    """Seconds of one, from fits of two lengths; the first ever is for warming up."""
    seconds(SHORT)
    (longer, n_more), (shorter, n_fewer) = seconds(LONG), seconds(SHORT)
    return (longer - shorter) / (n_more - n_fewer)


def as_mixture(model):
    """MLlib's mixture as ours, which can be scored."""
    matrices = np.array([gaussian.cov.toArray() for gaussian in model.gaussians])
    means = np.array([gaussian.mean.toArray() for gaussian in model.gaussians])
    matrices = 0.5 * (matrices + matrices.transpose(0, 2, 1))
    weights = np.array(model.weights)
    return Mixture(weights / weights.sum(), means, matrices, covariance_family("full"))


def told(name, seconds, mixture, rows, extra):
    scores = score_rows(mixture, rows)
    print(
        f"{name:36s}{seconds:8.1f} s {scores.log_likelihood / scores.row_weight:14.6f}   {extra}", flush=True
    )


def main():
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--components", type=int, default=8)
    parser.add_argument("--partitions", type=int, default=2)
    parser.add_argument("--processors", type=int, default=2)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    spark = session(asked.processors)
    frame = mixed(spark, asked.rows, asked.features, asked.components, asked.partitions)
    print(
        f"{asked.rows} rows x {asked.features}, K = {asked.components}, {asked.partitions} partitions, "
        f"{asked.processors} processors, Spark {spark.version}"
    )
    with SparkRows(frame, columns="features", persist=True) as rows:
        ours = an_iteration(our_iterations(rows, asked.components))
        theirs = an_iteration(their_iterations(frame, asked.components))
        print(f"seconds an iteration: gaussmix {ours:.3f}, MLlib {theirs:.3f}: {theirs / ours:.1f} times")
        print(f"{'fits by their own defaults':36s}{'time':>10s} {'nats a row':>14s}")
        for seed in range(3):
            model, seconds = timed(lambda seed=seed: Theirs(k=asked.components, seed=seed).fit(frame))
            n_steps = f"{model.summary.numIter} iterations"
            told(f"MLlib, seed {seed}", seconds, as_mixture(model), rows, n_steps)
        result, seconds = timed(lambda: search(rows, FitSettings(asked.components, n_init=1)))
        told("gaussmix, one start", seconds, result.mixture, rows, f"{result.history.n_passes} passes")
        result, seconds = timed(lambda: search(rows, FitSettings(asked.components)))
        told(
            "gaussmix, a search",
            seconds,
            result.mixture,
            rows,
            f"{result.history.n_passes} passes at the end",
        )
    spark.stop()


if __name__ == "__main__":
    main()
