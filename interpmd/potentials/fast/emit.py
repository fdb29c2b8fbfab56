"""Writing LLVM code from Python: straight lines of vector operations, and loops around them.

A vector holds `width` numbers (channels or edges) and fills one register of the processor. The
operations of a formula are emitted one after the other, as they would be written on paper; LLVM
orders them, keeps what it can in registers and fuses products with sums. Values are names of the
language's own (``%v12``), so that they can be held in Python lists and dictionaries:

    code = Code("double", width=8)
    a, b = code.load("%A", k), code.load("%B", k)
    code.store(code.add(code.mul(a, a), b), "%C", k)

Source: the LLVM Language Reference (https://llvm.org/docs/LangRef.html).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

#: Sums may be reordered and products fused: results then differ by rounding only.
FREE = "contract reassoc nsz arcp"


class Code:
    """The body of one function.

    Args:
        scalar: "double" or "float".
        width: numbers in a vector; a power of two.
    """

    def __init__(self, scalar: str, width: int) -> None:
        self.scalar, self.width = scalar, width
        self.type = f"<{width} x {scalar}>"
        self.lines: list[str] = []
        self._count, self._block = 0, "entry"

    def new(self) -> str:
        """A fresh name."""
        self._count += 1
        return f"%v{self._count}"

    def emit(self, right: str) -> str:
        """One instruction that yields a value."""
        name = self.new()
        self.lines.append(f"  {name} = {right}")
        return name

    # numbers -----------------------------------------------------------------------------------

    def constant(self, value: float) -> str:
        """A vector that holds one number everywhere; exact, since it is written in bits."""
        value = float(np.float32(value)) if self.scalar == "float" else float(value)
        element = f"{self.scalar} 0x{np.float64(value).view(np.uint64):016X}"
        return "<" + ", ".join([element] * self.width) + ">"

    def add(self, a: str, b: str) -> str:
        return self.emit(f"fadd {FREE} {self.type} {a}, {b}")

    def sub(self, a: str, b: str) -> str:
        return self.emit(f"fsub {FREE} {self.type} {a}, {b}")

    def mul(self, a: str, b: str) -> str:
        return self.emit(f"fmul {FREE} {self.type} {a}, {b}")

    def scale(self, factor: float, a: str) -> str:
        """A number times a vector."""
        return a if factor == 1 else self.mul(self.constant(factor), a)

    def accumulate(self, table: dict, key: object, value: str) -> None:
        """table[key] += value, where a missing entry is zero."""
        table[key] = self.add(table[key], value) if key in table else value

    def transposed(self, rows: Sequence[str]) -> list[str]:
        """As many vectors as one has numbers: the k-th of the result holds the k-th of each."""
        result, step = list(rows), 1
        while step < self.width:  # exchanges one bit of the two places after the other
            for i in (i for i in range(self.width) if not i & step):
                a, b = result[i], result[i | step]
                lanes = range(self.width)
                low = [p + self.width - step if p & step else p for p in lanes]
                high = [p + self.width if p & step else p + step for p in lanes]
                result[i] = self._shuffled(a, b, low)
                result[i | step] = self._shuffled(a, b, high)
            step *= 2
        return result

    def _shuffled(self, a: str, b: str, places: Sequence[int]) -> str:
        """Numbers of two vectors, those of the second counted on."""
        mask = ", ".join(f"i32 {p}" for p in places)
        both = f"{self.type} {a}, {self.type} {b}"
        return self.emit(f"shufflevector {both}, <{self.width} x i32> <{mask}>")

    def total(self, a: str) -> str:
        """The sum of a vector's numbers, as a scalar."""
        zero = f"{self.scalar} 0.0"
        return self.emit(f"call {FREE} {self.scalar} @{_sum_name(self)}({zero}, {self.type} {a})")

    # memory ------------------------------------------------------------------------------------

    def at(self, row: int | str, stride: int | str, column: str) -> str:
        """The index row * stride + column."""
        if row == 0:
            return column
        return self.emit(f"add i64 {self.emit(f'mul i64 {stride}, {row}')}, {column}")

    def load(self, base: str, index: int | str) -> str:
        """The vector that begins at base[index]."""
        return self.emit(f"load {self.type}, ptr {self.address(base, index)}, align {self._align}")

    def load_single(self, base: str, index: int | str) -> str:
        """As `load`, of numbers that are stored in single precision."""
        single = f"<{self.width} x float>"
        address = self.emit(f"getelementptr float, ptr {base}, i64 {index}")
        value = self.emit(f"load {single}, ptr {address}, align 4")
        return (
            value if self.scalar == "float" else self.emit(f"fpext {single} {value} to {self.type}")
        )

    def whole(self, base: str, index: int) -> str:
        """The whole number of 64 bits that is base[index]."""
        return self.emit(
            f"load i64, ptr {self.emit(f'getelementptr i64, ptr {base}, i64 {index}')}"
        )

    def spread(self, base: str, index: int | str) -> str:
        """The number base[index], everywhere in a vector."""
        number = self.load_scalar(base, index)
        first = self.emit(f"insertelement {self.type} poison, {self.scalar} {number}, i32 0")
        zeros = f"<{self.width} x i32> zeroinitializer"
        return self.emit(f"shufflevector {self.type} {first}, {self.type} poison, {zeros}")

    def load_scalar(self, base: str, index: int | str) -> str:
        """The number base[index]."""
        return self.emit(
            f"load {self.scalar}, ptr {self.address(base, index)}, align {self._align}"
        )

    def store(self, value: str, base: str, index: int | str) -> None:
        address = self.address(base, index)
        self.lines.append(f"  store {self.type} {value}, ptr {address}, align {self._align}")

    def store_scalar(self, value: str, base: str, index: int | str) -> None:
        address = self.address(base, index)
        self.lines.append(f"  store {self.scalar} {value}, ptr {address}, align {self._align}")

    def address(self, base: str, index: int | str) -> str:
        """Where base[index] lies."""
        return self.emit(f"getelementptr {self.scalar}, ptr {base}, i64 {index}")

    @property
    def _align(self) -> int:
        return 8 if self.scalar == "double" else 4

    # loops -------------------------------------------------------------------------------------

    def loop(
        self,
        stop: int | str,
        step: int,
        body: Callable[[str, list[str]], Sequence[str]],
        carried: int = 0,
    ) -> list[str]:
        """``for k in range(0, stop, step)``, at least once, with sums that it carries along.

        Args:
            stop: at least 1.
            step: of the counter.
            body: takes the counter and the carried vectors (zero at first), emits the code and
                returns the vectors' next values.
            carried: number of carried vectors.

        Returns:
            The carried vectors after the last turn.
        """
        before, turn, after = self._block, self._label(), self._label()
        self.lines.append(f"  br label %{turn}")
        self._open(turn)
        counter, sums = self.new(), [self.new() for _ in range(carried)]
        place = len(self.lines)
        values = list(body(counter, sums))
        following = self.emit(f"add i64 {counter}, {step}")
        last = self._block
        again = self.emit(f"icmp ult i64 {following}, {stop}")
        self.lines.append(f"  br i1 {again}, label %{turn}, label %{after}")
        self.lines[place:place] = [
            f"  {counter} = phi i64 [0, %{before}], [{following}, %{last}]",
            *(
                f"  {old} = phi {self.type} [zeroinitializer, %{before}], [{new}, %{last}]"
                for old, new in zip(sums, values, strict=True)
            ),
        ]
        self._open(after)
        return values

    def span(self, start: str, stop: str, step: int, body: Callable[[str], None]) -> None:
        """``for k in range(start, stop, step)``, which may be empty."""
        before, turn, after = self._block, self._label(), self._label()
        some = self.emit(f"icmp ult i64 {start}, {stop}")
        self.lines.append(f"  br i1 {some}, label %{turn}, label %{after}")
        self._open(turn)
        counter, place = self.new(), len(self.lines)
        body(counter)
        following, last = self.emit(f"add i64 {counter}, {step}"), self._block
        again = self.emit(f"icmp ult i64 {following}, {stop}")
        self.lines.append(f"  br i1 {again}, label %{turn}, label %{after}")
        phi = f"  {counter} = phi i64 [{start}, %{before}], [{following}, %{last}]"
        self.lines.insert(place, phi)
        self._open(after)

    def _label(self) -> str:
        self._count += 1
        return f"block{self._count}"

    def _open(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self._block = label

    # the whole ---------------------------------------------------------------------------------

    def function(
        self,
        name: str,
        pointers: Sequence[str],
        integers: Sequence[str] = (),
        returns: str | None = None,
    ) -> str:
        """The function's text. All arguments are 64-bit integers, the pointers as addresses.

        Args:
            name: under which it is found.
            pointers: names of the arguments that are addresses (without the ``%``).
            integers: names of those that are numbers; they come last.
            returns: a scalar that it returns as float64, else 0.
        """
        arguments = [*(f"i64 %{p}.address" for p in pointers), *(f"i64 %{i}" for i in integers)]
        casts = [f"  %{p} = inttoptr i64 %{p}.address to ptr" for p in pointers]
        if returns is not None and self.scalar == "float":
            returns = self.emit(f"fpext float {returns} to double")
        return "\n".join(
            [
                f"define double @{name}({', '.join(arguments)}) {{",
                "entry:",
                *casts,
                *self.lines,
                f"  ret double {returns or '0.0'}",
                "}",
            ]
        )


def declarations(scalar: str, width: int) -> str:
    """What the functions call of LLVM's own."""
    code = Code(scalar, width)
    return f"declare {scalar} @{_sum_name(code)}({scalar}, {code.type})"


def _sum_name(code: Code) -> str:
    bits = 64 if code.scalar == "double" else 32
    return f"llvm.vector.reduce.fadd.v{code.width}f{bits}"
