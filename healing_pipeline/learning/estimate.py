"""The inner layer: what each strategy heals at each source now.

Three things are mixed, each weighed by how well it foretold what came:

- *timescales*: the same cell remembered over few, dozens and hundreds of its own observations, and
  over all of them. Forgetting is by observation of the cell, never by the clock: what was not
  tried is not forgotten.
- *chapters*: stretches of the source's past of some hundreds of attempts. When a source falls back
  into a state it was in before, the observations of all its failure classes together say so, and
  what worked then is believed at once.
- the outer layer, as the prior of everything.

Sources: discounted counts by observation, after Raj and Kalyani (2017) but feature-wise; weighing
experts by discounted likelihood, after Herbster and Warmuth (1998), "Tracking the best expert".

The estimates are posterior means under independence of cells given the prior; they say nothing of
how strategies fail together (`pooled.after_failure` does).
"""

from __future__ import annotations

from healing_pipeline.learning.evidence import Array, Evidence

# Observations that the outer layer is worth to a cell.
PRIOR_STRENGTH = 2.0

# What one more observation of a cell leaves of the earlier ones; 1 forgets nothing.
DECAYS = (3 / 4, 15 / 16, 63 / 64, 1.0)

# What one more observation of a row leaves of the account of how well a timescale foretold.
TIMESCALE_MEMORY = 0.95
# The same for chapters: what counts is the last handful, or a return would be seen late.
CHAPTER_MEMORY = 0.8

# The same for every other attempt at the source: what a row said long ago says nothing of a return.
CHAPTER_SOURCE_MEMORY = 0.97

# Attempts that make a chapter: enough to have tried what is tried at all.
CHAPTER_TRIES = 300
CHAPTERS_KEPT = 40
# Before anything is seen, the chapters together, against the timescales.
CHAPTERS_SHARE = 0.8
# How much the other failure classes of a source say of this one.
KINSHIP = 0.5
# Observations that the outer layer is worth to a cell of a chapter.
CHAPTER_PRIOR_STRENGTH = 1.0

# The account of an expert is not let run further than this ahead (log-odds).
FURTHEST = 50.0

# Observations of a row after which its account has forgotten what came before (0.95^160 < 3e-4).
ROW_KEPT = 160
CHAPTER_LOOKS = 32


def inner_rates(evidence: Evidence, outer: Array) -> Array:
    """Probability that each strategy heals, by source and failure class, now.

    Parameters
    ----------
    evidence : Evidence
    outer : float array of shape (E, K)
        The prior, in (0, 1).

    Returns
    -------
    float array of shape (S, E, K)
        In (0, 1); the prior itself for what was never tried.
    """
    import numpy as np

    sources, classes, strategies = evidence.shape
    prior = np.broadcast_to(outer, evidence.shape).reshape(-1)
    before, now = _remembered(evidence)
    foretold = _posterior(*before, prior[evidence.cell][:, None], PRIOR_STRENGTH)
    newest = _newest(evidence, sources * classes, strategies)
    weights, base = _timescale_weights(evidence, foretold, newest)
    each = _posterior(*now, prior[:, None], PRIOR_STRENGTH).reshape(-1, strategies, len(DECAYS))
    rates = np.einsum("rkt,rt->rk", each, weights).reshape(evidence.shape)
    for source in range(sources):
        _recall_chapters(evidence, source, outer, rates[source], newest, base)
    return rates


def _posterior(healed: Array, failed: Array, prior: Array, strength: float) -> Array:
    return (healed + strength * prior) / (healed + failed + strength)


def _likelihood(rate: Array, healed: Array) -> Array:
    import numpy as np

    return np.log(np.where(healed, rate, 1.0 - rate))


def _remembered(evidence: Evidence) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Discounted successes and failures at each decay: before each observation, and now.

    Returns
    -------
    tuple
        Two arrays of shape (N, decays), and two of shape (cells, decays).
    """
    import numpy as np

    decays = np.array(DECAYS)
    cells = int(np.prod(evidence.shape))
    order = np.argsort(evidence.cell, kind="stable")
    healed = evidence.healed[order].astype(float)
    count = np.bincount(evidence.cell, minlength=cells)
    start = np.cumsum(count) - count
    longest_first = np.argsort(-count, kind="stable")
    # What is not looked at singly any more counts where nothing is forgotten.
    tries, good = (evidence.totals[each].reshape(-1) for each in ("tries", "healed"))
    seen_good = np.bincount(evidence.cell, evidence.healed, minlength=cells).astype(np.int64)
    old_good = np.maximum(0, good - seen_good)
    old_bad = np.maximum(0, tries - count - old_good)
    now = np.zeros((2, cells, len(DECAYS)))
    now[0][:, decays == 1.0] = old_good[:, None]
    now[1][:, decays == 1.0] = old_bad[:, None]
    before = np.zeros((2, len(healed), len(DECAYS)))
    active = np.count_nonzero(count[None, :] > np.arange(count.max(initial=0))[:, None], axis=1)
    state = now[:, longest_first]
    starts = start[longest_first]
    for step, many in enumerate(active):
        at = starts[:many] + step
        before[:, at] = state[:, :many]
        came = healed[at][:, None]
        state[0, :many] = state[0, :many] * decays + came
        state[1, :many] = state[1, :many] * decays + (1.0 - came)
    now[:, longest_first] = state
    back = np.empty_like(before)
    back[:, order] = before
    return (back[0], back[1]), (now[0], now[1])


def _newest(evidence: Evidence, rows: int, strategies: int) -> Array:
    """Indices of the newest observations of each row: shape (rows, ROW_KEPT), -1 where none."""
    import numpy as np

    row = evidence.cell // strategies
    order = np.argsort(row, kind="stable")
    count = np.bincount(row, minlength=rows)
    end = np.cumsum(count)
    place = end[:, None] - np.arange(ROW_KEPT, 0, -1)[None, :]
    is_there = place >= (end - count)[:, None]
    if not len(order):
        return np.full((rows, ROW_KEPT), -1)
    return np.where(is_there, order[np.maximum(place, 0)], -1)


def _timescale_weights(evidence: Evidence, foretold: Array, newest: Array) -> tuple[Array, Array]:
    """How far each timescale is believed in each row, and what they foretold together.

    Returns
    -------
    weights : float array of shape (rows, decays)
    base : float array of shape (rows, CHAPTER_LOOKS)
        Log-likelihood of the newest observations under the mixture at their time; 0 where none.
    """
    import numpy as np

    rows = len(newest)
    account = np.zeros((rows, len(DECAYS)))
    base = np.zeros((rows, CHAPTER_LOOKS))
    if not len(foretold):
        return np.full((rows, len(DECAYS)), 1 / len(DECAYS)), base
    is_there = newest >= 0
    healed = evidence.healed[newest]
    rates = foretold[newest]
    said = np.where(is_there[..., None], _likelihood(rates, healed[..., None]), 0.0)
    for step in range(ROW_KEPT):
        look = step - (ROW_KEPT - CHAPTER_LOOKS)
        if look >= 0:
            mixed = np.einsum("rt,rt->r", _softmax(account), rates[:, step])
            now = _likelihood(mixed, healed[:, step])
            base[:, look] = np.where(is_there[:, step], now, 0.0)
        kept = np.where(is_there[:, step], TIMESCALE_MEMORY, 1.0)
        account = account * kept[:, None] + said[:, step]
    return _softmax(account), base


def _softmax(account: Array) -> Array:
    import numpy as np

    weights = np.exp(account - account.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _recall_chapters(
    evidence: Evidence, source: int, outer: Array, rates: Array, newest: Array, base: Array
) -> None:
    """Mix a source's past chapters into its rates (E, K), in place."""
    import numpy as np

    classes = len(evidence.classes)
    tries, healed, last_day = _chapters(evidence, source)
    if not len(tries):
        return
    then = _posterior(healed, tries - healed, outer, CHAPTER_PRIOR_STRENGTH)
    rows = slice(source * classes, (source + 1) * classes)
    index = newest[rows, -CHAPTER_LOOKS:]
    is_there = index >= 0
    strategy = evidence.cell[index] % len(evidence.strategies)
    of_class = np.broadcast_to(np.arange(classes)[:, None], index.shape)
    said = _likelihood(then[:, of_class, strategy], evidence.healed[index])
    ahead = said - base[rows]
    # A chapter is no witness in its own case.
    is_news = is_there & (evidence.hour[index] // 24 > last_day[:, None, None])
    # The newest observation of a row has age 0 there; a row's gaps are all at its left.
    at_source = np.flatnonzero(evidence.cell // (classes * len(evidence.strategies)) == source)
    since = len(at_source) - 1 - np.searchsorted(at_source, np.maximum(index, 0))
    fading = CHAPTER_MEMORY ** np.arange(CHAPTER_LOOKS - 1, -1, -1)
    fading = fading * CHAPTER_SOURCE_MEMORY**since
    own = (np.where(is_news, ahead, 0.0) * fading).sum(axis=-1)
    account = own + KINSHIP * (own.sum(axis=1, keepdims=True) - own)
    account = np.clip(account, -FURTHEST, FURTHEST) + np.log(CHAPTERS_SHARE / len(tries))
    both = np.vstack([account, np.full((1, classes), np.log(1.0 - CHAPTERS_SHARE))])
    weights = _softmax(both.T)
    # What a chapter did not try, it says nothing of.
    recalled = _posterior(healed, tries - healed, rates, CHAPTER_PRIOR_STRENGTH)
    mixed = np.einsum("ec,cek->ek", weights[:, :-1], recalled) + weights[:, -1:] * rates
    rates[:] = mixed


def _chapters(evidence: Evidence, source: int) -> tuple[Array, Array, Array]:
    """Tries and successes of a source's chapters, shape (C, E, K), and the last day of each.

    A chapter is as many whole days as it takes to come to `CHAPTER_TRIES`; days that do not make
    one yet are in none.
    """
    import numpy as np

    own = np.flatnonzero(evidence.day_source == source)
    tries, healed = evidence.day_tries[own], evidence.day_healed[own]
    ends, total = [], 0
    for place, many in enumerate(tries.sum(axis=(1, 2)).tolist()):
        total += many
        if total >= CHAPTER_TRIES:
            ends.append(place)
            total = 0
    ends = ends[-CHAPTERS_KEPT - 1 :]
    if len(ends) <= CHAPTERS_KEPT:
        begins = [0, *(each + 1 for each in ends[:-1])]
    else:
        begins = [each + 1 for each in ends[:-1]]
        ends = ends[1:]
    if not ends:
        none = np.zeros((0, *tries.shape[1:]), np.int64)
        return none, none, np.zeros(0, np.int64)
    spans = [slice(begin, end + 1) for begin, end in zip(begins, ends, strict=True)]
    return (
        np.stack([tries[each].sum(axis=0) for each in spans]),
        np.stack([healed[each].sum(axis=0) for each in spans]),
        evidence.day[own][ends],
    )
