"""Spark, and rows in it."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sparked import N_ROWS, ODD, PLAIN, framed

if find_spec("pyspark") is None:
    collect_ignore_glob = ["test_*.py"]

# Compiling for a long run takes longer than these do.
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
SETTINGS = {
    "spark.master": "local-cluster[2,1,1024]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "3",
    # What fails fails again; an executor that is killed counts as one failure.
    "spark.task.maxFailures": "2",
    "spark.executor.extraJavaOptions": QUICK_JAVA,
}


@pytest.fixture(scope="session")
def session(tmp_path_factory):
    """Two executors of one processor each, every one a Java process of its own."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        if os.environ.get("GAUSSMIX_NEEDS_JAVA") == "1":
            pytest.fail("Spark needs Java, and GAUSSMIX_NEEDS_JAVA=1 says that it must be here")
        pytest.skip("Spark needs Java")
    import pyspark.sql

    # Executors work in a folder of SPARK_HOME, which must not be that of the package.
    home = tmp_path_factory.mktemp("spark")
    for part in Path(pyspark.__file__).parent.iterdir():
        (home / part.name).symlink_to(part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(home))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("SPARK_LOCAL_DIRS", str(tmp_path_factory.mktemp("local")))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYSPARK_SUBMIT_ARGS", f'--driver-java-options "{QUICK_JAVA}" pyspark-shell')
        builder = pyspark.sql.SparkSession.builder.config(map=SETTINGS)
        made = builder.config("spark.sql.warehouse.dir", str(home / "warehouse")).getOrCreate()
        made.sparkContext.setLogLevel("OFF")
        yield made
        made.stop()


@pytest.fixture(scope="session")
def table():
    """Three groups of rows, with weights of 0 to 3 halves."""
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0.0, 0.0], [9.0, 1.0, -4.0], [-3.0, 8.0, 5.0]])
    roots = 0.6 * rng.normal(size=(3, 3, 3)) + np.eye(3)
    which = rng.integers(0, 3, N_ROWS)
    rows = means[which] + np.einsum("nij,nj->ni", roots[which], rng.normal(size=(N_ROWS, 3)))
    return rows, rng.integers(0, 4, N_ROWS) / 2.0


@pytest.fixture(scope="session")
def frame(session, table):
    """All rows in partitions of which one is empty."""
    # Made once. What is selected from it is another DataFrame, which is not persisted.
    return framed(session, *table, ODD).persist().where("a > -1e9")


@pytest.fixture(scope="session")
def vectors(frame):
    """The same, with a column of vectors."""
    from pyspark.ml.feature import VectorAssembler

    return VectorAssembler(inputCols=PLAIN, outputCol="features").transform(frame)
