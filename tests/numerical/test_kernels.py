"""The C trainer against its NumPy twin, on every instruction set of this machine.

The twin draws the same random numbers and does the same steps in float64; the engine does them in float32. So what may
differ is rounding: each change of a weight w is off by about 2**-24 * |w| for its store, and by 2e-7 of itself for the
polynomial exponential. With weights up to 3 and a few hundred changes of the most frequent rows, errors that add up at
random stay near 1e-6 (measured: 3e-7 to 4e-6 over all cases here); TOLERANCE leaves room for other rounding orders.
The steps are large on purpose (learning rate 0.1): weights move by about 1, five orders more, and one wrong label,
weight, row, window, or order of operations moves some of them by 1e-3 or more.
"""

from itertools import pairwise

import numpy as np
import pytest
from numerical_problem import ISAS, TILES, Problem

from fastemb.reference import block
from fastemb.training import _engine, rows

TOLERANCE = 1e-5
DIMS = [1, 2, 3, 7, 8, 15, 16, 17, 31, 100, 112, 300]
MODELS = {
    "sg-ns": Problem(),
    "sg-hs": Problem(loss="hs"),
    "cbow-ns": Problem(algorithm="cbow"),
    "cbow-hs": Problem(algorithm="cbow", loss="hs"),
}


def check(problem: Problem, isa: str, tolerance: float = TOLERANCE, cuts: tuple[int, ...] = ()) -> None:
    syn0, syn1, state = problem.run_engine(isa, cuts)
    W_in, W_out, totals = problem.run_twin(TILES[isa], cuts)
    np.testing.assert_allclose(syn0, W_in, rtol=1e-5, atol=tolerance, err_msg="input rows")
    np.testing.assert_allclose(syn1, W_out, rtol=1e-5, atol=tolerance, err_msg="output rows")
    assert (state.words, state.kept, state.examples) == (totals.words, totals.kept, totals.examples)
    # the engine's logarithm is good to 1e-6, and batches are added up in float64
    assert state.loss == pytest.approx(totals.loss, rel=1e-6)
    assert not state.nonfinite
    assert np.abs(W_in - problem.data.syn0).max() > 100 * tolerance, "the case must train something"


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("dim", DIMS)
def test_every_dimension(dim, model, isa):
    # beyond 200 dimensions the start weights' scores and such steps go past 30, where the engine cuts the loss
    check(MODELS[model].but(dim=dim, alpha0=0.1 if dim < 200 else 0.04), isa)


CASES = {
    "window 1": dict(window=1),
    "window 2": dict(window=2),
    "window 10": dict(window=10),
    "fixed window": dict(shrink_windows=False),
    "more contexts than one block holds": dict(window=20, shrink_windows=False, longest=100, alpha0=0.02),
    "window beyond every sentence": dict(window=60, longest=9),
    "window beyond 32 bits of reach times length": dict(window=2**31 - 1, longest=9),
    "one sentence": dict(longest=2000),
    "sentences of one word": dict(longest=2, window=3),
    "piece of a long sentence": dict(longest=10**6, tokens=2500, t0=900, t1=1200, window=8),
    "stretches of a long sentence": dict(longest=10**6, tokens=2300, t0=100, types=300),
    "thinned": dict(sample=1e-2, types=300),
    "thinned piece": dict(sample=1e-2, longest=10**6, tokens=2500, t0=900, t1=1200, window=8),
    "thinned stretches": dict(sample=1e-2, longest=10**6, tokens=5000, types=300, alpha0=0.03),
    "thinned to nothing but a few": dict(sample=1e-5, longest=10**6, tokens=5000),
    "row factors": dict(lockf=True),
    "constant learning rate": dict(alpha1=0.1),
    "other seed": dict(seed=2**64 - 1, epoch=2**40),
    # three words: nearly every window holds a word twice, most negatives are the centre word or drawn twice
    "repeated rows": dict(types=3, alpha0=0.03),
    "repeated rows, fixed": dict(types=3, alpha0=0.03, lockf=True),
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("case", CASES)
def test_every_setting(case, model, isa):
    # CBOW adds the same change to a row of many windows again and again, so roundings add up: the twin in float32 is
    # off by 4e-5 where its windows hold 40 words
    rounding = 8e-5 if case.startswith("more contexts") and model == "cbow-ns" else TOLERANCE
    check(MODELS[model].but(**CASES[case]), isa, tolerance=rounding)


GROUPS = [(1, 5), (1, None), (2, 5), (3, 5), (3, 1), (4, 7), (5, 16), (8, None), (8, 5), (8, 40)]
GROUP_CASES = {
    "usual": dict(types=200, alpha0=0.05),
    "wide": dict(types=200, alpha0=0.01, alpha1=0.005, window=12, shrink_windows=False, longest=60),
    "thinned": dict(types=300, alpha0=0.05, sample=1e-2, longest=200),
    # neighbours are the same word, noise words are some of the group's centre words and not others
    "few words": dict(types=4, alpha0=0.02, lockf=True, longest=60),
    "short sentences": dict(types=60, alpha0=0.05, longest=7, window=3),
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
@pytest.mark.parametrize("group, draws", GROUPS)
@pytest.mark.parametrize("case", GROUP_CASES)
def test_any_group(case, group, draws, algorithm, isa):
    check(Problem(algorithm=algorithm, group=group, draws=draws, **GROUP_CASES[case]), isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
@pytest.mark.parametrize("window", [4, 5, 6, 13, 14])
def test_inputs_that_just_fit_one_block_or_two(window, algorithm, isa):
    """Unions of 2 * window + 3 positions at group=3: 11 to 31."""
    check(Problem(algorithm=algorithm, window=window, shrink_windows=False, longest=120, alpha0=0.03), isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
@pytest.mark.parametrize("negative", [1, 2, 3, 4, 6, 7, 11, 12, 13, 40])
def test_any_number_of_negatives(negative, algorithm, isa):
    check(Problem(algorithm=algorithm, negative=negative, types=200, alpha0=0.05), isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
@pytest.mark.parametrize("negative", [6, 20])
def test_negatives_of_few_words_over_several_tiles(negative, algorithm, isa):
    check(Problem(algorithm=algorithm, negative=negative, types=9, alpha0=0.02, lockf=True), isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
def test_more_outputs_than_fit_the_stack(algorithm, isa):
    check(Problem(algorithm=algorithm, negative=100, types=2000, tokens=200, alpha0=0.02), isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
def test_tree_as_deep_as_it_gets(algorithm, isa):
    fibonacci = [1, 1]
    while len(fibonacci) < 80:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    problem = Problem(algorithm=algorithm, loss="hs", types=80, counts=tuple(fibonacci[::-1]), tokens=200, alpha0=0.02)
    assert _engine.huffman(problem.data.counts).depth.max() == 79  # each inner node has a word and an inner node
    check(problem, isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("model", MODELS)
def test_vocabulary_of_one_word(model, isa):
    problem = MODELS[model].but(types=1, alpha0=0.02)
    if model.endswith("ns"):
        check(problem, isa)
    else:  # its tree has no inner node, so nothing can be trained
        syn0, syn1, state = problem.run_engine(isa)
        np.testing.assert_array_equal(syn0, problem.data.syn0)
        np.testing.assert_array_equal(syn1, problem.data.syn1)
        assert (state.words, state.kept, state.examples, state.loss) == (500, 500, 0, 0)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("loss", ["ns", "hs"])
@pytest.mark.parametrize("lockf", [False, True])
def test_cbow_sum(lockf, loss, isa):
    check(Problem(algorithm="cbow", loss=loss, cbow_mean=False, lockf=lockf, longest=60), isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
def test_window_longer_than_the_scratch_memory_of_usual_ones(algorithm, isa):
    # a thousand contexts a centre word: small steps, since each row gets hundreds of changes from every block. CBOW
    # adds the same change to a row up to 150 times running, so its roundings add up: 150 * 15 * 2**-25 = 7e-5 at worst
    problem = Problem(algorithm=algorithm, window=1100, longest=4000, tokens=3000, t0=1490, t1=1505)
    check(problem.but(types=400, alpha0=0.002, alpha1=0.001), isa, tolerance=1e-5 if algorithm == "skipgram" else 7e-5)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("model", MODELS)
def test_frozen_rows_keep_their_bits(model, isa):
    problem = MODELS[model].but(lockf=True)
    syn0, _, _ = problem.run_engine(isa)
    frozen = problem.data.lockf == 0
    assert frozen.any()
    np.testing.assert_array_equal(syn0[frozen], problem.data.syn0[frozen])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("group", [1, 3])
def test_pieces_make_no_difference(group, model, isa):
    """One call, and many calls over pieces that cut sentences anywhere, but not groups: the same bits."""
    # one rate: no rounding of its slope
    problem = MODELS[model].but(tokens=4000, longest=2500, sample=1e-2, alpha1=0.1, group=group)
    offsets = problem.data.offsets
    if group == 1 or model.endswith("hs"):
        cuts = np.random.default_rng(5).choice(np.arange(1, problem.tokens), 40, replace=False)
    else:  # a cut between centre words that share their noise words parts them, so only where nobody shares
        cuts = np.concatenate([offsets[1:-1], *(np.arange(a + 1024, b, 1024) for a, b in pairwise(offsets))])
        assert len(cuts) > len(offsets) - 2, "some sentence must be longer than a stretch"
    whole = problem.run_engine(isa)
    pieces = problem.run_engine(isa, cuts=tuple(sorted(cuts.tolist())))
    np.testing.assert_array_equal(whole[0], pieces[0])
    np.testing.assert_array_equal(whole[1], pieces[1])
    assert (whole[2].words, whole[2].kept, whole[2].examples) == (pieces[2].words, pieces[2].kept, pieces[2].examples)
    # a few blocks at a time are added up in float32, and which ones depends on the cuts
    assert whole[2].loss == pytest.approx(pieces[2].loss, rel=1e-6)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("group", [2, 3, 8])
def test_pieces_that_cut_groups(group, model, isa):
    """A group ends with its piece, and takes its context from beyond it."""
    problem = MODELS[model].but(tokens=700, longest=90, types=200, alpha1=0.1, group=group)
    cuts = np.random.default_rng(6).choice(np.arange(1, problem.tokens), 60, replace=False)
    check(problem, isa, cuts=tuple(sorted(cuts.tolist())))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("model", MODELS)
def test_buffer_of_a_piece_needs_no_more_than_its_windows(model, isa):
    """A piece may come in a buffer that reaches `window` tokens beyond it (nothing thinned): the same bits."""
    problem = MODELS[model].but(tokens=1500, longest=10**6, alpha1=0.1)
    d, window = problem.data, problem.window
    whole = problem.run_engine(isa, cuts=tuple(range(300, problem.tokens, 300)))
    syn0, syn1 = rows.padded(d.syn0.copy()), rows.padded(d.syn1.copy())
    trainer, state = problem.trainer(syn0, syn1, isa), _engine.WorkerState()
    for a in range(0, problem.tokens, 300):
        base, end = max(a - window, 0), min(a + 300 + window, problem.tokens)
        assert trainer.run(d.ids[base:end].copy(), base, d.offsets, 0, a, a + 300, problem.epoch, 0.1, 0.1, state)
    np.testing.assert_array_equal(whole[0], syn0[:, : problem.dim])
    np.testing.assert_array_equal(whole[1], syn1[:, : problem.dim])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("model", MODELS)
def test_same_seed_same_bits(model, isa):
    first, second = MODELS[model].run_engine(isa), MODELS[model].run_engine(isa)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    for other in (dict(seed=8), dict(epoch=4)):
        if model.endswith("ns"):
            assert not np.array_equal(first[1], MODELS[model].but(**other).run_engine(isa)[1])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
@pytest.mark.parametrize("loss", ["ns", "hs"])
def test_extreme_scores(loss, algorithm, isa, monkeypatch):
    """Scores far beyond +-30: gradients of a saturated sigmoid, a loss cut at 30 a cell, no NaN."""
    problem = Problem(algorithm=algorithm, loss=loss, scale=5.0, dim=16, alpha0=1e-3, alpha1=1e-3, longest=40)
    syn0, syn1, state = problem.run_engine(isa)
    softplus = block.softplus
    monkeypatch.setattr(block, "softplus", lambda x: softplus(np.clip(x, -30, 30)))
    W_in, W_out, totals = problem.run_twin(TILES[isa])
    # weights of 5 to 20: one rounding is 1e-6, and the scores' own rounding (1e-5) moves unsaturated sigmoids a little
    np.testing.assert_allclose(syn0, W_in, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(syn1, W_out, rtol=1e-5, atol=1e-4)
    assert not state.nonfinite
    assert state.loss == pytest.approx(totals.loss, rel=1e-5)
    assert totals.loss / totals.examples > 20, "scores must be extreme"


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("model", MODELS)
def test_not_a_number_is_noticed(model, bad, isa):
    problem = MODELS[model].but(tokens=400)
    problem.data.syn0[0, 3] = bad  # word 0 is the most frequent
    d = problem.data
    syn0, syn1 = rows.padded(d.syn0.copy()), rows.padded(d.syn1.copy())
    state = _engine.WorkerState()
    assert problem.trainer(syn0, syn1, isa).run(d.ids, 0, d.offsets, 0, 0, 400, 0, 0.1, 0.1, state) is False
    assert state.nonfinite
    assert _engine.first_nonfinite_row(syn0) >= 0
