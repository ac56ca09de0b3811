"""Quantiles of measured times."""

import math


def rank(values, share):
    """The value at `share` of the sorted ones (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def summary(values):
    """Number, median, 99th percentile and maximum."""
    median, p99 = rank(values, 0.5), rank(values, 0.99)
    return f"n {len(values)}, median {median:.0f} ms, p99 {p99:.0f} ms, max {max(values):.0f} ms"
