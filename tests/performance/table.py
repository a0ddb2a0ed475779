"""How results are shown as text: the table of a terminal, and the section of README."""

from __future__ import annotations

from tests.performance.results import OURS, Results, Row
from tests.performance.timing import BARE

FIRST = 39
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def text(results: Results) -> str:
    """Medians, and ours as a ratio to each peer: plain, then with the snapshot."""
    ours, peers = results.ours(), results.peers()
    short = {"pyrunc": "plain", "snapshot": "snap"}
    head = [" " * FIRST, *(f"{short[key]:>9}" for key in ours)]
    for key in peers:
        ratios = " ".join(f"{short[own] + '/':>6}" for own in ours)
        head.append(f" | {results.titles[key]:>12} {ratios}")
    head += [f" | {'python -I -S':>12}"] * results.has_bare()
    lines = ["".join(head)]
    for row in results.rows:
        cells = [f"{row.title + ', ' + row.unit:{FIRST}}", *(f"{_value(row, key):>9}" for key in ours)]
        for key in peers:
            ratios = " ".join(f"{_ratio(row, own, key):>6}" for own in ours)
            cells.append(f" | {_value(row, key):>12} {ratios}")
        cells += [f" | {_value(row, BARE):>12}"] * results.has_bare()
        lines.append("".join(cells))
    lines += [
        "",
        "plain/ and snap/: our figure divided by the one before it; below 1 is better.",
        results.footer,
    ]
    lines += [f"note: {note}" for note in results.notes + results.failures()]
    return "\n".join(lines)


def details(results: Results) -> str:
    """Minimum, quartiles and number of samples of every figure."""
    lines = [f"{'':{FIRST}} {'':18} {'minimum':>9} {'q1':>9} {'median':>9} {'q3':>9} {'samples':>8}"]
    for row in results.rows:
        for key, figure in row.figures.items():
            if "median" in figure:
                values = "".join(f"{figure[name]:10.2f}" for name in ("minimum", "q1", "median", "q3"))
                title = results.titles.get(key, "python -I -S")
                lines.append(
                    f"{row.title + ', ' + row.unit:{FIRST}} {title:18}{values} {figure['samples']:8}"
                )
    return "\n".join(lines)


def markdown(results: Results, picture: str) -> str:
    """What README shows: the picture, the table and where the figures come from."""
    ours, peers = results.ours(), results.peers()
    titles = [results.titles[key] for key in ours + peers]
    lines = [
        BEGIN,
        "<!-- written by make bench BENCH_FLAGS=--publish -->",
        f"![{', '.join(titles)}: times and memory as ratios]({picture})",
        "",
        "| | " + " | ".join(titles) + " |",
        "|---|" + "---:|" * len(titles),
    ]
    for row in results.rows:
        cells = [_value(row, key) for key in ours]
        for key in peers:
            ratios = ", ".join(_ratio(row, own, key) for own in ours)
            cells.append(
                f"{_value(row, key)} ({ratios})" if row.median(key) is not None else _value(row, key)
            )
        lines.append(f"| {row.title}, {row.unit} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Medians. In brackets: our figure divided by the peer's, plain and then with the snapshot; below 1 is better.",
        f"{results.footer}.",
        END,
    ]
    return "\n".join(lines)


def replace_section(page: str, section: str) -> str:
    """`page` with what stands between the markers replaced.  Raises ValueError without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} … {END}")
    return before + section + after


def _value(row: Row, key: str) -> str:
    value = row.median(key)
    if value is None:
        return "cannot" if key in row.figures else "" if key == BARE else "–"
    if row.unit == "KiB":
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _ratio(row: Row, own: str, peer: str) -> str:
    assert own in OURS
    ratio = row.ratio(own, peer)
    return "–" if ratio is None else f"{ratio:.2f}"
