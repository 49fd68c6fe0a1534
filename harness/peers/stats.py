"""Medians and the order statistics about them, as the store's views have them (harness/views.sql)."""
from math import comb, exp, log


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def interval(values):
    """(low, high): x(r) .. x(count+1-r) with the largest r for which P(Binomial(count, 1/2) < r) <= 2.5%, so that the
    true median lies between with 95% confidence whatever the distribution. Fewer than six values have no such r: their
    extremes are given."""
    ordered, count = sorted(values), len(values)
    rank, below = 1, 0
    for r in range(1, count // 2 + 1):
        below += comb(count, r - 1)  # 2^count P(Binomial < r)
        if 40 * below > 1 << count:
            break
        rank = r
    return ordered[rank - 1], ordered[count - rank]


def geometric_mean(values):
    return exp(sum(log(x) for x in values) / len(values))
