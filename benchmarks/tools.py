"""One training run of one tool in a fresh process: the child of compare.py.

    python benchmarks/tools.py '{"tool": "gensim", "corpus": "text.txt", "dim": 100, ...}'

prints one JSON line. Each tool is a generator that yields when its vocabulary is ready and again when it is trained, so
that the parts are timed and the peak memory is read at the same places for all; then it saves its vectors, and returns
(words by falling frequency, vectors, number of corpus words in the vocabulary, further figures).
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from itertools import islice, pairwise
from pathlib import Path

Job = dict
Result = tuple[list, object, int, dict]
Run = Generator[None, None, Result]


def word2vec_options(job: Job) -> dict:
    """What fastemb and gensim both understand."""
    return dict(
        sg=int(job["algorithm"] == "skipgram"),
        hs=int(job["loss"] == "hs"),
        vector_size=job["dim"],
        window=job["window"],
        negative=job["negative"] if job["loss"] == "ns" else 0,
        sample=job["sample"],
        min_count=job["min_count"],
        alpha=job["alpha"],
        epochs=job["epochs"],
        workers=job["workers"],
        seed=job["seed"],
    )


def fastemb(job: Job, out: Path) -> Run:
    from fastemb import Word2Vec

    yield
    model = Word2Vec(**word2vec_options(job))
    model.build_vocab(corpus_file=job["corpus"])
    yield
    model.train(corpus_file=job["corpus"], epochs=job["epochs"])
    yield
    model.wv.save(str(out))
    words = model.wv.index_to_key
    num_tokens = sum(int(model.wv.get_vecattr(w, "count")) for w in words)
    last = model.history[-1]
    return (
        words,
        model.wv.vectors,
        num_tokens,
        {"examples_per_word": last["examples"] / num_tokens, "mean_loss": last["loss"]},
    )


def gensim(job: Job, out: Path) -> Run:
    from gensim.models import Word2Vec

    yield
    model = Word2Vec(**word2vec_options(job))
    model.build_vocab(corpus_file=job["corpus"])
    yield
    model.train(
        corpus_file=job["corpus"],
        total_words=model.corpus_total_words,
        total_examples=model.corpus_count,
        epochs=job["epochs"],
    )
    yield
    model.wv.save(str(out))
    words = model.wv.index_to_key
    return words, model.wv.vectors, sum(int(model.wv.get_vecattr(w, "count")) for w in words), {}


def fasttext(job: Job, out: Path) -> Run:
    """Differs: noise exponent 0.5, no minimum learning rate, lines cut after 1,024 words, always the same seed."""
    import fasttext
    import numpy as np

    yield
    options = dict(
        model="skipgram" if job["algorithm"] == "skipgram" else "cbow",
        loss=job["loss"],
        dim=job["dim"],
        ws=job["window"],
        neg=job["negative"],
        t=job["sample"],
        minCount=job["min_count"],
        lr=job["alpha"],
        thread=job["workers"],
        minn=0,
        maxn=0,
        verbose=0,
    )
    # vocabulary and training are one call: a run of no epochs is the vocabulary, and is subtracted (see `run`)
    fasttext.train_unsupervised(job["corpus"], epoch=0, **options)
    yield
    model = fasttext.train_unsupervised(job["corpus"], epoch=job["epochs"], **options)
    yield
    model.save_model(str(out))
    words, counts = model.get_words(include_freq=True)
    pairs = [(w, int(c)) for w, c in zip(words, counts, strict=True) if w != "</s>"]
    words = [w for w, _ in pairs]
    return words, np.array([model.get_word_vector(w) for w in words]), sum(c for _, c in pairs), {}


def twin(job: Job, out: Path) -> Run:
    """The vectorised NumPy twin; skip-gram with negative sampling only."""
    import numpy as np

    from fastemb.reference.minibatch import sgns_train

    if (job["algorithm"], job["loss"]) != ("skipgram", "ns"):
        raise ValueError("the mini-batch twin has skip-gram with negative sampling only")
    yield
    with open(job["corpus"], encoding="utf-8", errors="surrogateescape") as f:
        lines = [line.split() for line in islice(f, job["twin_lines"])]
    frequency = Counter(w for line in lines for w in line)
    words = [w for w, c in frequency.most_common() if c >= job["min_count"]]
    index = {w: i for i, w in enumerate(words)}
    sentences = [[index[w] for w in line if w in index] for line in lines]
    offsets = np.concatenate(([0], np.cumsum([len(s) for s in sentences])))
    ids = np.fromiter((i for s in sentences for i in s), dtype=np.int32, count=offsets[-1])
    yield
    vectors, _, _ = sgns_train(
        ids,
        offsets,
        np.array([frequency[w] for w in words]),
        dim=job["dim"],
        epochs=job["epochs"],
        alpha=job["alpha"],
        seed=job["seed"],
        window=job["window"],
        negative=job["negative"],
        sample=job["sample"],
    )
    yield
    np.save(out.with_suffix(".npy"), vectors)
    return words, vectors, len(ids), {}


TOOLS = {"fastemb": fastemb, "gensim": gensim, "fasttext": fasttext, "twin": twin}
PACKAGE = {"fasttext": "fasttext-wheel", "twin": "numpy"}


def version(tool: str) -> str | None:
    """Installed version, None where the tool cannot be run."""
    try:
        return importlib.metadata.version(PACKAGE.get(tool, tool))
    except importlib.metadata.PackageNotFoundError:
        if tool == "fastemb":  # built in place
            import fastemb

            return fastemb.__version__
        return None


def peak_mb() -> float:
    """Highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def run(job: Job) -> dict:
    """Train once; times in seconds, memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        steps = TOOLS[job["tool"]](job, Path(folder) / "model")
        next(steps)
        times, peaks = [(time.perf_counter(), time.process_time())], [peak_mb()]
        for _ in ("vocabulary", "training"):
            next(steps)
            times.append((time.perf_counter(), time.process_time()))
            peaks.append(peak_mb())
        try:
            next(steps)
            raise AssertionError(f"{job['tool']}: a step too many")
        except StopIteration as end:
            times.append((time.perf_counter(), time.process_time()))
            words, vectors, num_tokens, extra = end.value
    (vocab_wall, vocab_cpu), (train_wall, train_cpu), (save_wall, _) = (
        (b[0] - a[0], b[1] - a[1]) for a, b in pairwise(times)
    )
    if job["tool"] == "fasttext":  # its training call made the vocabulary once more
        train_wall, train_cpu = train_wall - vocab_wall, train_cpu - vocab_cpu
    result = {
        "tool": job["tool"],
        "words": num_tokens,
        "types": len(words),
        "vocabulary_wall": vocab_wall,
        "vocabulary_cpu": vocab_cpu,
        "training_wall": train_wall,
        "training_cpu": train_cpu,
        "total_wall": vocab_wall + train_wall + save_wall,
        "words_per_cpu_second": num_tokens * job["epochs"] / train_cpu,
        "words_per_wall_second": num_tokens * job["epochs"] / train_wall,
        "peak_mb": peaks[2],
        "imports_mb": peaks[0],
    } | extra
    sample = job["tool"] == "twin" and job["twin_lines"] is not None
    if job.get("eval") and not sample:
        from scores import evaluate

        result["scores"] = evaluate(Path(job["eval"]), words, vectors)
    return result


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())  # a fastemb built in place, where the benchmarks are run from its root
    print(json.dumps(run(json.loads(sys.argv[1]))))
