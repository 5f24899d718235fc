"""Decimal text of floats, against NumPy on random bit patterns and on the cases that went wrong elsewhere."""

import locale

import numpy as np
import pytest

from fastemb.formats import _text


def as_numpy_reads(strings):
    with np.errstate(over="ignore"):
        return np.array([float(s) for s in strings], np.float64).astype(np.float32)


def bits(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32)


def printed(values, dim=100):
    """The values through the writer of rows, as a list of strings."""
    values = values[: len(values) // dim * dim].reshape(-1, dim)
    n = len(values)
    text = _text.print_rows(values, np.zeros(0, np.uint8), np.zeros(n + 1, np.int64), 0, n, False)
    return values.reshape(-1), text.split()


def random_floats(n, seed):
    x = np.random.default_rng(seed).integers(0, 2**32, n, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return x[np.isfinite(x)]


def numpy_shortest(x):
    """NumPy's shortest digits and exponent, whatever its rule for where to put the point."""
    s = np.format_float_scientific(x, unique=True, trim="-")
    return s


def as_scientific(s):
    """'-0.00123' -> '-1.23e-03', so that digits and exponent can be compared."""
    sign = "-" if s.startswith("-") else ""
    mantissa, _, exponent = s.lstrip("-").partition("e")
    whole, _, frac = mantissa.partition(".")
    digits, e = whole + frac, len(whole) - 1 + int(exponent or 0)
    stripped = digits.lstrip("0")
    e -= len(digits) - len(stripped)
    stripped = stripped.rstrip("0")
    if not stripped:
        return sign + "0e+00"
    return f"{sign}{stripped[0]}{'.' + stripped[1:] if len(stripped) > 1 else ''}e{'-' if e < 0 else '+'}{abs(e):02d}"


def test_print_is_shortest_and_reads_back():
    x, text = printed(random_floats(1_000_000, 1))
    assert np.array_equal(bits(_text.parse_floats(b" ".join(text))), bits(x))
    sample = slice(0, 200_000)
    ours = [as_scientific(t.decode()) for t in text[sample]]
    theirs = [numpy_shortest(v) for v in x[sample]]
    differ = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
    assert not differ, differ[:5]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_print_normal_weights(scale):
    x, text = printed((np.random.default_rng(2).standard_normal(300_000) * scale).astype(np.float32))
    assert np.array_equal(bits(as_numpy_reads(text)), bits(x))


def test_print_edges():
    exponents = np.arange(255, dtype=np.uint32) << 23
    edges = np.concatenate([exponents + d for d in (0, 1, 2, 0x7FFFFF, 0x400000)]).astype(np.uint32).view(np.float32)
    small = np.arange(1, 3000, dtype=np.uint32).view(np.float32)  # subnormal numbers
    whole = np.arange(1, 3000, dtype=np.float32)
    dyadic = (np.arange(1, 3000) / 64).astype(np.float32)
    for values in (edges, -edges, small, whole, dyadic):
        for v in values:
            s = _text.format_float(v)
            assert bits(np.float32(float(s))) == bits(v), (v, s)
            if s not in ("7.0385313e-26",):
                assert as_scientific(s) == as_scientific(numpy_shortest(v)), (v, s)


def test_print_survives_rounding_twice():
    """The shortest decimal of this float, read as a double and rounded again, is its neighbour: one more digit "
    "helps."""
    x = np.array([0x15AE43FD], np.uint32).view(np.float32)[0]
    with np.errstate(all="ignore"):
        assert bits(np.float32(float("7.038531e-26"))) != bits(x)
    assert bits(np.float32(float(_text.format_float(x)))) == bits(x)


@pytest.mark.parametrize(
    ("x", "text"),
    [(0.0, "0.0"), (-0.0, "-0.0"), (1, "1.0"), (-0.5, "-0.5"), (1e-5, "1e-05"), (123456, "123456.0"), (1e6, "1e+06"),
     (3.4028235e38, "3.4028235e+38"), (1e-45, "1e-45"), (0.0001, "1e-04"), (0.00011, "0.00011"),
     (float("nan"), "nan"), (float("inf"), "inf"), (float("-inf"), "-inf")],
)  # fmt: skip
def test_print_layout(x, text):
    assert _text.format_float(x) == text


def decimals(n, seed):
    """Random decimal texts of all lengths and sizes."""
    rng = np.random.default_rng(seed)
    digits = rng.integers(0, 10, (n, 40))
    out = []
    for row, length, point, exponent, style in zip(
        digits,
        rng.integers(1, 40, n),
        rng.integers(0, 40, n),
        rng.integers(-70, 60, n),
        rng.integers(0, 4, n),
        strict=True,
    ):
        s = "".join(map(str, row[:length]))
        point = min(int(point), int(length))
        s = s[:point] + "." + s[point:]
        if style == 1:
            s = s.replace(".", "")
        if style >= 2:
            s += f"e{exponent - point}"
        out.append(("-" if style % 2 else "") + s)
    return out


def test_parse_random_decimals():
    strings = decimals(100_000, 3)
    ours = _text.parse_floats(" ".join(strings).encode())
    assert np.array_equal(bits(ours), bits(as_numpy_reads(strings)))


def test_parse_printed_doubles():
    """17 digits, as files written from float64 have them."""
    strings = [repr(v) for v in np.random.default_rng(4).standard_normal(200_000).tolist()]
    assert np.array_equal(bits(_text.parse_floats(" ".join(strings).encode())), bits(as_numpy_reads(strings)))


def test_parse_near_boundaries():
    """Decimals at and around the midpoints of neighbouring floats, exact and one digit off."""
    from decimal import Decimal, localcontext

    strings = []
    with localcontext() as context:
        context.prec = 200
        for v in random_floats(3000, 5):
            after = (v.view(np.uint32) + np.uint32(1)).view(np.float32)
            if not np.isfinite(after):
                continue
            middle = (Decimal(float(v)) + Decimal(float(after))) / 2
            text = f"{middle:e}"
            strings += [text, text.replace("e", "1e"), f"{middle.next_minus():e}"]
    ours = _text.parse_floats(" ".join(strings).encode())
    assert np.array_equal(bits(ours), bits(as_numpy_reads(strings)))


@pytest.mark.parametrize(
    "text", ["", ".", "-", "+", "e5", "1e", "1e+", "0x1p3", "0,5", "1_0", "abc", "--1", "1.2.3",
     "1 ", " 1", "na", "infi", "1f", "٣"]
)  # fmt: skip
def test_not_a_number(text):
    assert _text.parse_float(text.encode()) is None


@pytest.mark.parametrize(
    "text", ["5.", ".5", "+1", "-.5e-3", "1E5", "00012", "1e-320", "1e-46", "7.1e-46", "3.4028235677973366e38", "1e999",
             "-1e999", "1e-999999999999", "0e999999999", "nan", "NaN", "-inf", "Infinity", "0." + "0" * 200 + "1e201",
             "1" * 300 + "e-300", "9" * 900, "3.40282356779733661637539395458142568447e38"]
)  # fmt: skip
def test_parse_like_python(text):
    with np.errstate(over="ignore"):
        want = np.float32(float(text))
    got = _text.parse_float(text.encode())
    assert bits(got) == bits(want) or (np.isnan(got) and np.isnan(want))


def test_locale_does_not_matter():
    name = next((n for n in ("de_DE.UTF-8", "fr_FR.UTF-8", "de_DE") if _try_locale(n)), None)
    if name is None:
        pytest.skip("no locale with a decimal comma is installed")
    try:
        assert _text.parse_float(b"1.00000005960464477539062500001") == np.float32(1.0000001)  # the slow way
        assert _text.format_float(0.5) == "0.5"
    finally:
        locale.setlocale(locale.LC_NUMERIC, "C")


def _try_locale(name):
    try:
        locale.setlocale(locale.LC_NUMERIC, name)
    except locale.Error:
        return False
    return True


def test_first_nonfinite():
    x = np.zeros(1000, np.float32)
    assert _text.first_nonfinite(x) == -1
    for at in (999, 640, 63, 0):
        x[at] = np.nan if at % 2 else -np.inf
        assert _text.first_nonfinite(x) == at
