"""Build of the compiled modules; everything else is in pyproject.toml.

Switches, read from the environment:

FASTEMB_DEBUG=1      Cython checks on (bounds, wraparound, None, initialisation), -O1, assertions of the C core on
FASTEMB_SANITIZE=... passed to -fsanitize, for instance "address,undefined"
FASTEMB_COVERAGE=1   gcov counters in the C core
FASTEMB_WERROR=1     warnings of the C core are errors

The build never asks for the CPU it runs on: each kernel file names its own instruction set and one is chosen at import.
"""

import os
import platform
import sys

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup


def flag(name):
    return os.environ.get(name, "0") not in ("", "0")


DEBUG, COVERAGE, SANITIZE = flag("FASTEMB_DEBUG"), flag("FASTEMB_COVERAGE"), os.environ.get("FASTEMB_SANITIZE", "")
MSVC = sys.platform == "win32"

ISAS = ("scalar", "avx2", "avx512", "neon")
KERNELS = [f"csrc/fe_kernels_{isa}.c" for isa in ISAS]  # each empty on other CPUs

# module -> C files it is linked with
MODULES = {
    "fastemb.corpus._corpus": ["csrc/fe_tokens.c", "csrc/fe_vocab.c"],
    "fastemb.corpus._cooccur": ["csrc/fe_cooccur.c"],
    "fastemb.corpus._phrases": ["csrc/fe_phrases.c", "csrc/fe_tokens.c", "csrc/fe_vocab.c"],
    "fastemb.formats._text": ["csrc/fe_textvec.c"],
    "fastemb.corpus._termdoc": ["csrc/fe_termdoc.c"],
    "fastemb.geometry._sparse": [
        "csrc/fe_spmm.c",
        "csrc/fe_ppmi.c",
        *(f"csrc/fe_spmm_{isa}.c" for isa in ISAS),
    ],
    "fastemb.training._glove": [
        "csrc/fe_glove.c",
        *(f"csrc/fe_glove_{isa}.c" for isa in ("scalar", "avx2", "avx512", "neon")),
    ],
    "fastemb.training._engine": [
        *(f"csrc/fe_{part}.c" for part in ("dispatch", "alias", "huffman", "train")),
        *KERNELS,
    ],
}

compile_args, link_args = (["/O2"], []) if MSVC else (["-O3", "-std=gnu11", "-Wall", "-Wextra", "-fno-math-errno"], [])
if not MSVC:
    link_args += ["-lm"]
    if DEBUG:
        compile_args += ["-O1", "-g", "-UNDEBUG", "-D_FORTIFY_SOURCE=2", "-DFE_DEBUG"]
    if SANITIZE:
        # -O3 under the sanitizers takes minutes a file
        compile_args += ["-O1", f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g"]
        link_args += [f"-fsanitize={SANITIZE}"]
    if COVERAGE:
        compile_args += ["--coverage", "-O0"]
        link_args += ["--coverage"]
    if flag("FASTEMB_WERROR"):
        compile_args += ["-Werror"]
    # Cython's own output is not ours to make clean
    compile_args += ["-Wno-unused-function", "-Wno-unreachable-code"]

headers = [os.path.join("csrc", f) for f in sorted(os.listdir("csrc")) if f.endswith(".h")]


def extension(module, c_files):
    pyx = module.replace(".", "/") + ".pyx"
    return Extension(
        module,
        [pyx, *c_files],
        include_dirs=["csrc", np.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_23_API_VERSION"), ("CYTHON_USE_MODULE_STATE", "0")],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        depends=headers,
    )


setup(
    ext_modules=cythonize(
        [extension(m, c) for m, c in MODULES.items() if os.path.exists(m.replace(".", "/") + ".pyx")],
        nthreads=0 if platform.system() == "Windows" else os.cpu_count() or 1,
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": DEBUG,
            "initializedcheck": DEBUG,
            "nonecheck": DEBUG,
            "cdivision": not DEBUG,
            "embedsignature": True,
            "freethreading_compatible": True,
        },
    ),
    options={"build_ext": {"parallel": True}},  # extensions side by side, on all cores
)
