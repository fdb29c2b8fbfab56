"""From LLVM code to machine code of this processor, kept on disk.

The object file is stored under a name that is a hash of the code's text, the processor and its
features, and LLVM's version, in ``$XDG_CACHE_HOME/interpmd/machine_code`` (else
``~/.cache/...``). It begins with a checksum of itself, and is put in place by one atomic rename:
an entry that is cut short, damaged or of other origin is compiled anew and overwritten. Where
nothing can be written, code is compiled in every process.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

#: Bytes of a SHA-256 checksum.
CHECKSUM = 32


@dataclass(frozen=True)
class Processor:
    """What code is generated for.

    Attributes:
        bytes: width of a vector register.
        registers: number of vector registers.
        name, features: as LLVM calls them.
    """

    bytes: int
    registers: int
    name: str
    features: str


@dataclass(frozen=True)
class Machine:
    """Functions in memory.

    Attributes:
        addresses: of the functions by name.
        engine: owns the memory; the addresses are good for as long as it lives.
        compiled: whether it was compiled now, not read from disk.
    """

    addresses: dict[str, int]
    engine: object
    compiled: bool


@lru_cache
def processor() -> Processor:
    """The processor that this runs on."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        width, registers = 64, 32
        # LLVM would keep to half registers, out of worry for the clock of processors of 2017
        text = features.flatten() + ",-prefer-256-bit"
    elif features.get("avx"):
        width, registers, text = 32, 16, features.flatten()
    else:  # 32 registers of 16 bytes on ARM, 16 on old x86
        x86 = bool(features.get("sse2"))
        width, registers, text = 16, 16 if x86 else 32, features.flatten()
    return Processor(width, registers, llvm.get_host_cpu_name(), text)


def cache_folder() -> Path:
    """Where machine code is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "interpmd" / "machine_code"


@lru_cache(maxsize=64)
def assemble(text: str, names: tuple[str, ...]) -> Machine:
    """Functions of LLVM code, from the cache on disk if they are there.

    Args:
        text: the code.
        names: of the functions whose addresses are wanted.
    """
    target = _target()
    entry = cache_folder() / f"{_key(text)}.o"
    binary = _read(entry)
    compiled = binary is None
    if binary is None:
        binary = _compile(target, text)
        _write(entry, binary)
    engine = _load(target, binary)
    return Machine({n: engine.get_function_address(n) for n in names}, engine, compiled)


def is_cached(text: str) -> bool:
    """Whether the machine code of this text is on disk."""
    return _read(cache_folder() / f"{_key(text)}.o") is not None


def _key(text: str) -> str:
    host = processor()
    version = (llvmlite.__version__, *llvm.llvm_version_info)
    parts: Sequence[object] = (host.name, host.features, llvm.get_default_triple(), version, text)
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _target() -> llvm.TargetMachine:
    host = processor()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=host.name, features=host.features, opt=2, jit=True
    )


def _compile(target: llvm.TargetMachine, text: str) -> bytes:
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return target.emit_object(module)


def _load(target: llvm.TargetMachine, binary: bytes) -> llvm.ExecutionEngine:
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(binary))
    engine.finalize_object()
    return engine


def _read(entry: Path) -> bytes | None:
    try:
        content = entry.read_bytes()
    except OSError:
        return None
    checksum, binary = content[:CHECKSUM], content[CHECKSUM:]
    return binary if binary and hashlib.sha256(binary).digest() == checksum else None


def _write(entry: Path, binary: bytes) -> None:
    try:
        entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=entry.parent, delete=False) as file:
            file.write(hashlib.sha256(binary).digest() + binary)
        Path(file.name).replace(entry)
    except OSError:
        return
