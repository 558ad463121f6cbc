"""Rows that live on the workers of a cluster: dask and Spark."""
