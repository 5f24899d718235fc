"""Evaluation scores of word vectors, in NumPy only: the same code judges every tool of compare.py.

The sets are files of a folder (`--eval DIR`): `en_ws353.tsv`, `en_simlex999.tsv`, `en_men.tsv` (word TAB word TAB human
score) and `en_google.txt` (the questions-words format). Pairs and questions with an unknown word are left out; how
many were used is reported beside each score.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

PAIR_SETS = {"WordSim-353": "en_ws353.tsv", "SimLex-999": "en_simlex999.tsv", "MEN": "en_men.tsv"}
ANALOGIES = ("Google", "en_google.txt")
NAMES = [*PAIR_SETS, ANALOGIES[0]]
TOP = 30_000  # analogies: candidates and questions among the most frequent words only


def ranks(x: np.ndarray) -> np.ndarray:
    """Ranks from 0; ties share their mean rank."""
    _, inverse, count = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count + 1) / 2)[inverse]


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation."""
    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def pair_score(path: Path, index: dict[str, int], unit: np.ndarray) -> tuple[float, int]:
    """Spearman correlation of cosine and human score, and the number of pairs used."""
    ours, human = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        a, b, score = line.lower().split("\t")[:3]
        if a in index and b in index:
            ours.append(float(unit[index[a]] @ unit[index[b]]))
            human.append(float(score))
    return (spearman(np.array(ours), np.array(human)) if len(ours) > 2 else float("nan")), len(ours)


def analogy_score(path: Path, index: dict[str, int], unit: np.ndarray) -> tuple[float, int]:
    """Share of `a : b :: c : ?` answered right by the word nearest to b - a + c, those three words excluded."""
    rows = []
    for line in path.read_text(encoding="utf-8").lower().splitlines():
        words = line.split()
        if len(words) == 4 and words[0] != ":":
            found = [index.get(w, TOP) for w in words]
            if max(found) < min(TOP, len(unit)):
                rows.append(found)
    if not rows:
        return float("nan"), 0
    q, top, right = np.array(rows), unit[:TOP], 0
    for part in np.array_split(q, len(q) // 500 + 1):
        scores = (top[part[:, 1]] - top[part[:, 0]] + top[part[:, 2]]) @ top.T
        np.put_along_axis(scores, part[:, :3], -np.inf, axis=1)
        right += int(np.sum(scores.argmax(axis=1) == part[:, 3]))
    return right / len(q), len(q)


def evaluate(folder: Path, words: list[str], vectors: np.ndarray) -> dict[str, tuple[float, int]]:
    """Every set that the folder has.

    Parameters
    ----------
    folder : Path
    words : list of str
        By falling frequency.
    vectors : (len(words), d) array

    Returns
    -------
    dict
        Name -> (score, pairs or questions used).
    """
    index = {w: i for i, w in enumerate(words)}
    unit = unit_rows(np.asarray(vectors, dtype=np.float32))
    result = {n: pair_score(folder / f, index, unit) for n, f in PAIR_SETS.items() if (folder / f).exists()}
    if (folder / ANALOGIES[1]).exists():
        result[ANALOGIES[0]] = analogy_score(folder / ANALOGIES[1], index, unit)
    return result
