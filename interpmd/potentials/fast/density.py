"""Generated code between edges and the density A of a site, by two roads.

**Few neighbours** (`project`, `unproject`). What an edge adds to A in channel k depends on its
distance through R_lk(r) = sum_n h_n(r) W_l,k,(s,n) alone, so R itself is tabulated, element by
element: no product with the mixing W remains. The price is to read a row of the table per edge,
more than the caches hold. Pieces are so short that higher powers add little: they are stored in
single precision.

**Many neighbours** (`tabulate`, `multiply`). The sum over edges comes first, C = sum_j h_n Y_lm,
and is mixed once per site, A = W C. All steps of it, and of its reverse, are products of matrices
that differ in strides only. One routine serves them: a tile of the result stays in registers while
rows of W stream by. (A library's product would repack W at every call, and start threads.)
"""

from __future__ import annotations

from interpmd.potentials.fast.emit import Code

#: Degree of the polynomials in the tables of radial functions.
TABLE_DEGREE = 6

#: Powers whose coefficients are stored in the type of the evaluator in tables with the mixing; the
#: others are single.
WHOLE_POWERS = 4


def project(lmax: int, channels: int, scalar: str, width: int) -> str:
    """``project(rows, t, Y, A, R, dR, wide, count, most)``: A of a site from its edges.

    `rows` holds for every edge the address of its piece of the table, t where in the piece it
    lies (-1 to 1). R and its slope by t are kept for the way back. The site has `most` channels,
    at least 1, of `channels` for which there is room.
    """
    code, degrees = Code(scalar, width), lmax + 1

    def edges(k: str):
        def body(e: str, sums: list[str]) -> list[str]:
            address = code.emit(f"getelementptr i64, ptr %rows, i64 {e}")
            row = code.emit(f"inttoptr i64 {code.emit(f'load i64, ptr {address}')} to ptr")
            t, result = code.spread("%t", e), []
            single = code.address(row, WHOLE_POWERS * degrees * channels)
            for l in range(degrees):
                coefficients = []
                for d in range(TABLE_DEGREE + 1):
                    from_, power = (row, d) if d < WHOLE_POWERS else (single, d - WHOLE_POWERS)
                    load = code.load if d < WHOLE_POWERS else code.load_single
                    place = code.emit(f"add i64 {k}, {(power * degrees + l) * channels}")
                    coefficients.append(load(from_, place))
                value, slope = _horner(code, coefficients, t)
                place = code.emit(f"add i64 {code.at(e, degrees * channels, k)}, {l * channels}")
                code.store(value, "%R", place)
                code.store(slope, "%dR", place)
                for lm in range(l * l, (l + 1) ** 2):
                    y = code.spread("%Y", code.at(lm, "%wide", e))
                    result.append(code.add(sums[lm], code.mul(value, y)))
            return result

        return body

    def body(k: str, _: list[str]) -> list[str]:
        density = code.loop("%count", 1, edges(k), carried=degrees**2)
        for lm, value in enumerate(density):
            code.store(value, "%A", code.at(lm, channels, k))
        return []

    code.loop("%most", width, body)
    integers = ["wide", "count", "most"]
    return code.function("project", ["rows", "t", "Y", "A", "R", "dR"], integers)


def unproject(lmax: int, channels: int, scalar: str, width: int) -> str:
    """``unproject(Y, G, R, dR, V, along, wide, count, most)``: from slopes by A to those by edges.

    V[lm * wide + edge] is the slope by the harmonics, along[edge] that by t.
    """
    code, degrees = Code(scalar, width), lmax + 1

    def channel_loop(e: str):
        def body(k: str, sums: list[str]) -> list[str]:
            *angular, along = sums
            first = code.at(e, degrees * channels, k)
            for l in range(degrees):
                place = code.emit(f"add i64 {first}, {l * channels}")
                value, slope = code.load("%R", place), code.load("%dR", place)
                radial: dict[int, str] = {}
                for lm in range(l * l, (l + 1) ** 2):
                    gradient = code.load("%G", code.at(lm, channels, k))
                    angular[lm] = code.add(angular[lm], code.mul(gradient, value))
                    y = code.spread("%Y", code.at(lm, "%wide", e))
                    code.accumulate(radial, 0, code.mul(gradient, y))
                along = code.add(along, code.mul(radial[0], slope))
            return [*angular, along]

        return body

    def body(e: str, _: list[str]) -> list[str]:
        *angular, along = code.loop("%most", width, channel_loop(e), carried=degrees**2 + 1)
        for lm, value in enumerate(angular):
            code.store_scalar(code.total(value), "%V", code.at(lm, "%wide", e))
        code.store_scalar(code.total(along), "%along", e)
        return []

    code.loop("%count", 1, body)
    integers = ["wide", "count", "most"]
    return code.function("unproject", ["Y", "G", "R", "dR", "V", "along"], integers)


def tabulate(functions: int, scalar: str, width: int) -> str:
    """``tabulate(rows, t, h, h_of, dh_of, low, high, room)``: radial functions of some edges.

    `rows` and t as for `project`; they are read up to a multiple of the width. h[edge, n] and
    h_of[n, edge] are the values, dh_of[n, edge] the slopes by t; the last two have rows of `room`.
    """
    code = Code(scalar, width)

    def edges(e: str) -> None:
        each = [code.emit(f"add i64 {e}, {lane}") for lane in range(width)]
        rows = []
        for edge in each:
            address = code.emit(f"getelementptr i64, ptr %rows, i64 {edge}")
            rows.append(code.emit(f"inttoptr i64 {code.emit(f'load i64, ptr {address}')} to ptr"))

        def body(n: str) -> None:
            values, slopes = [], []
            for edge, row in zip(each, rows, strict=True):
                powers = [code.load(row, code.at(functions, d, n)) for d in range(TABLE_DEGREE + 1)]
                value, slope = _horner(code, powers, code.spread("%t", edge))
                code.store(value, "%h", code.at(edge, functions, n))
                values.append(value)
                slopes.append(slope)
            for base, vectors in (("%h_of", values), ("%dh_of", slopes)):
                for lane, vector in enumerate(code.transposed(vectors)):
                    n_th = code.emit(f"add i64 {n}, {lane}")
                    code.store(vector, base, code.at(n_th, "%room", e))

        code.span("0", str(functions), width, body)

    code.span("%low", "%high", width, edges)
    arrays = ["rows", "t", "h", "h_of", "dh_of"]
    return code.function("tabulate", arrays, ["low", "high", "room"])


def multiply(scalar: str, width: int, registers: int) -> str:
    """``multiply(X, W, Y, x_row, x_inner, w_row, y_row, rows, inner, columns)``: Y = X W.

    Y[r * y_row + c] = sum_q X[r * x_row + q * x_inner] W[q * w_row + c]; columns are a multiple
    of the width. Tiles of 6 x 4 vectors where there are 32 registers, of 4 x 3 where 16.
    """
    tall, broad = tile(registers)
    code = Code(scalar, width)

    def block(rows: int, vectors: int, r: str, c: str) -> None:
        def body(q: str, sums: list[str]) -> list[str]:
            start = code.at(q, "%w_row", c)
            places = [code.emit(f"add i64 {start}, {v * width}") for v in range(vectors)]
            weights = [code.load("%W", place) for place in places]
            inner = code.emit(f"mul i64 {q}, %x_inner")
            result = []
            for i in range(rows):
                row = code.emit(f"add i64 {r}, {i}")
                x = code.spread("%X", code.at(row, "%x_row", inner))
                for v, w in enumerate(weights):
                    result.append(code.add(sums[i * vectors + v], code.mul(x, w)))
            return result

        sums = code.loop("%inner", 1, body, carried=rows * vectors)
        for i in range(rows):
            start = code.at(code.emit(f"add i64 {r}, {i}"), "%y_row", c)
            for v in range(vectors):
                place = code.emit(f"add i64 {start}, {v * width}")
                code.store(sums[i * vectors + v], "%Y", place)

    def all_rows(vectors: int, c: str) -> None:
        code.span("0", whole_rows, tall, lambda r: block(tall, vectors, r, c))
        code.span(whole_rows, "%rows", 1, lambda r: block(1, vectors, r, c))

    step = broad * width
    rest = code.emit(f"urem i64 %rows, {tall}")
    whole_rows = code.emit(f"sub i64 %rows, {rest}")
    rest = code.emit(f"urem i64 %columns, {step}")
    whole_columns = code.emit(f"sub i64 %columns, {rest}")
    code.span("0", whole_columns, step, lambda c: all_rows(broad, c))
    code.span(whole_columns, "%columns", width, lambda c: all_rows(1, c))
    integers = ["x_row", "x_inner", "w_row", "y_row", "rows", "inner", "columns"]
    return code.function("multiply", ["X", "W", "Y"], integers)


def tile(registers: int) -> tuple[int, int]:
    """Rows and vectors of the tile of `multiply` that fits into so many vector registers."""
    return (6, 4) if registers >= 32 else (4, 3)


def _horner(code: Code, coefficients: list[str], t: str) -> tuple[str, str]:
    """Value and slope of a polynomial."""
    *lower, value = coefficients
    slope = value
    for degree in range(len(lower) - 1, -1, -1):
        value = code.add(code.mul(value, t), lower[degree])
        if degree:
            slope = code.add(code.mul(slope, t), value)
    return value, slope
