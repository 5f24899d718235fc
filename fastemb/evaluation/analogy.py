"""Word analogies: a is to b as c is to what?

3CosAdd (Mikolov et al. 2013) answers with the word nearest to ``b - a + c`` (unit vectors); 3CosMul (Levy and Goldberg
2014, equation 4) with the largest ``cos(x, b) cos(x, c) / (cos(x, a) + eps)``, cosines shifted to [0, 1]. The three
words of the question are no answers.

All questions are answered together. A question set repeats its words some twenty times over, so the cosines of the
distinct words with the vocabulary are one GEMM, a few columns of it at a time, and a question adds up (or multiplies)
three of its rows. Sets that do not repeat their words are answered by one GEMM of the queries themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastemb.evaluation.sources import WordIndex, describe, numbered_lines
from fastemb.geometry import compute_dtype, inverse, unit_rows
from fastemb.search import Excluded, TopK, cosine_topk
from fastemb.search.exact import QUERIES, SCORES

logger = logging.getLogger(__name__)

_ANSWERS = 5  # candidates looked at: other spellings (case) of the question's own words are passed over
_EPSILON = 1e-6
METHODS = {"most_similar": "3CosAdd", "most_similar_cosmul": "3CosMul", "3CosAdd": "3CosAdd", "3CosMul": "3CosMul"}

Question = tuple[str, str, str, str]


class AnalogyScores(tuple):
    """``(score, sections)``, gensim's pair, and what was counted on the way.

    Attributes
    ----------
    score : float
        Share of right answers.
    sections : list of dict
        ``{"section": name, "correct": [(a, b, c, d), ...], "incorrect": [...]}``; the last is "Total accuracy".
    num_questions : int
        Questions read.
    num_correct, num_answered : int
        Right answers, and questions that count (without the unknown ones unless ``dummy4unknown``).
    num_oov : int
        Questions with a word outside the vocabulary.
    num_invalid : int
        Lines that are not four words.
    """

    num_questions: int
    num_correct: int
    num_answered: int
    num_oov: int
    num_invalid: int

    def __new__(cls, score: float, sections: list[dict[str, Any]], **counts: int) -> AnalogyScores:
        self = super().__new__(cls, (score, sections))
        self.__dict__.update(counts)
        return self

    score = property(lambda self: self[0])
    sections = property(lambda self: self[1])


@dataclass
class _Questions:
    names: list[str] = field(default_factory=list)  # of the sections
    section: list[int] = field(default_factory=list)  # of each question
    words: list[Question] = field(default_factory=list)
    invalid: int = 0


def evaluate_word_analogies(
    analogies: Any,
    keys: Sequence[Any],
    vectors: NDArray,
    norms: NDArray,
    *,
    restrict_vocab: int | None = 300_000,
    case_insensitive: bool = True,
    dummy4unknown: bool = False,
    similarity_function: str = "most_similar",
    encoding: str = "utf-8",
) -> AnalogyScores:
    """Share of analogy questions answered right.

    Parameters
    ----------
    analogies : path, open file, or iterable of lines or 4-tuples
        Four words a line, sections opened by lines ``: name``; empty lines and lines that begin with ``#`` are skipped.
    keys : sequence of str or int
        The word of each row.
    vectors : ndarray of shape (V, d)
    norms : ndarray of shape (V,)
    restrict_vocab : int or None
        Only the first so many words count as known, and as answers.
    case_insensitive : bool
        Compare upper-case forms.
    dummy4unknown : bool
        Count a question with an unknown word as answered wrongly instead of leaving it out.
    similarity_function : {"most_similar", "most_similar_cosmul"}
        3CosAdd or 3CosMul.
    encoding : str

    Returns
    -------
    AnalogyScores

    Raises
    ------
    ValueError
        If the source holds no question, or the similarity function is unknown.
    """
    if similarity_function not in METHODS:
        raise ValueError(f"similarity_function must be one of {', '.join(METHODS)}, not {similarity_function!r}")
    index = WordIndex(keys, restrict_vocab, case_insensitive)
    questions = _read(analogies, index, encoding)
    if not questions.words:
        raise ValueError(
            f"no analogy question in {describe(analogies)}: expected lines of four words, "
            f"found {questions.invalid} lines of another kind"
        )
    rows = np.array([[index.row(w) for w in q] for q in questions.words], dtype=np.int64)
    known = np.all(rows >= 0, axis=1)
    right = np.zeros(len(rows), dtype=bool)
    if known.any():
        asked, n = rows[known], index.size
        answers = _answers(asked[:, :3], vectors[:n], norms[:n], METHODS[similarity_function])
        right[known] = _judge(answers, asked, index)

    sections: list[dict[str, Any]] = [{"section": name, "correct": [], "incorrect": []} for name in questions.names]
    for words, section, is_known, is_right in zip(
        questions.words, questions.section, known.tolist(), right.tolist(), strict=True
    ):
        if is_known or dummy4unknown:
            sections[section]["correct" if is_right else "incorrect"].append(words)
    for one in sections:
        log_accuracy(one)
    total = {"section": "Total accuracy"} | {
        kind: list(chain.from_iterable(one[kind] for one in sections)) for kind in ("correct", "incorrect")
    }
    oov = int(len(known) - known.sum())
    logger.info("Quadruplets with out-of-vocabulary words: %.1f%%", 100.0 * oov / len(known))
    if oov and not dummy4unknown:
        logger.info("Analogies with out-of-vocabulary words were left out; dummy4unknown=True counts them as wrong")
    return AnalogyScores(
        log_accuracy(total),
        [*sections, total],
        num_questions=len(known),
        num_correct=len(total["correct"]),
        num_answered=len(total["correct"]) + len(total["incorrect"]),
        num_oov=oov,
        num_invalid=questions.invalid,
    )


def log_accuracy(section: dict[str, Any]) -> float:
    """Log the accuracy of one section and return it; 0.0 where nothing was asked."""
    correct, incorrect = len(section["correct"]), len(section["incorrect"])
    if not correct + incorrect:
        return 0.0
    score = correct / (correct + incorrect)
    logger.info("%s: %.1f%% (%i/%i)", section["section"], 100.0 * score, correct, correct + incorrect)
    return score


def _read(source: Any, index: WordIndex, encoding: str) -> _Questions:
    questions = _Questions()
    for number, line in numbered_lines(source, encoding):
        if isinstance(line, str) and line.startswith(":"):
            questions.names.append(line.lstrip(": ").strip())
            continue
        words = [index.form(str(w)) for w in (line.split() if isinstance(line, str) else line)]
        if len(words) != 4:
            questions.invalid += 1
            logger.info("Skipping invalid line #%i in %s", number, describe(source))
            continue
        if not questions.names:
            questions.names.append("")  # a set without sections
        questions.section.append(len(questions.names) - 1)
        questions.words.append((words[0], words[1], words[2], words[3]))
    return questions


def _judge(answers: NDArray, asked: NDArray, index: WordIndex) -> NDArray:
    """Which of the questions got the expected word as the first answer that is not one of their own words."""
    # different rows may be one word in another case: compare the first row of each form
    first = np.array([index.row(form) for form in index.forms], dtype=np.int64)
    answers = np.where(answers >= 0, first[answers], -1)
    own = (answers[:, :, None] == asked[:, None, :3]).any(axis=2) | (answers < 0)
    chosen = np.argmin(own, axis=1)  # the first that is not; where all are, the question is lost
    answered = ~own.all(axis=1)
    return answered & (answers[np.arange(len(answers)), chosen] == asked[:, 3])


def _answers(triples: NDArray, vectors: NDArray, norms: NDArray, method: str) -> NDArray:
    """Rows of the best answers to each question (a, b, c), without its own words, best first."""
    words, place = np.unique(triples, return_inverse=True)
    place = place.reshape(triples.shape)
    unit = unit_rows(vectors[words], norms[words])
    if method == "3CosAdd" and 2 * len(words) > len(triples):  # few questions to a word: nothing to share
        queries = unit[place[:, 1]]
        queries += unit[place[:, 2]]
        queries -= unit[place[:, 0]]
        return cosine_topk(queries, vectors, norms, _ANSWERS, exclude=_own_words(triples))[0]
    return _answers_from_words(triples, place, unit, vectors, norms, method)


def _answers_from_words(
    triples: NDArray, place: NDArray, unit: NDArray, vectors: NDArray, norms: NDArray, method: str
) -> NDArray:
    """The answers from the cosines of the distinct words with the vocabulary, a few columns at a time.

    The words of question i are ``unit[place[i]]``.
    """
    own = Excluded(*_own_words(triples))
    dtype = compute_dtype(vectors.dtype)
    scale = inverse(norms).astype(dtype, copy=False)
    top = TopK(len(triples), min(_ANSWERS, len(vectors)), dtype)
    height, width = QUERIES, max(256, min(SCORES // QUERIES, 4 * SCORES // max(1, len(unit))))
    sums, terms = np.empty((2, height * width), dtype)
    first: np.ufunc
    second: np.ufunc
    for lo in range(0, len(vectors), width):
        hi = min(lo + width, len(vectors))
        cosines = unit @ (vectors[lo:hi].astype(dtype, copy=False) * scale[lo:hi, None]).T
        if method == "3CosMul":
            cosines += 1.0
            cosines *= 0.5
            last, first, second = 1.0 / (cosines + dtype.type(_EPSILON)), np.multiply, np.multiply
        else:
            last, first, second = cosines, np.add, np.subtract
        for q in range(0, len(triples), height):
            a, b, c = place[q : q + height].T
            shape = (len(a), hi - lo)
            scores, term = (buffer[: len(a) * (hi - lo)].reshape(shape) for buffer in (sums, terms))
            np.take(cosines, b, axis=0, out=scores, mode="clip")  # any mode but "raise" writes straight to `out`
            first(scores, np.take(cosines, c, axis=0, out=term, mode="clip"), out=scores)
            second(scores, np.take(last, a, axis=0, out=term, mode="clip"), out=scores)
            own.hide(scores, q, lo)
            top.offer(q, scores, lo)
    return top.indices


def _own_words(triples: NDArray) -> tuple[NDArray, NDArray]:
    return np.repeat(np.arange(len(triples)), 3), triples.ravel()
