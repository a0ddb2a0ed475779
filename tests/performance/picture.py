"""How results are shown as a picture: grouped bars, each a ratio to crun (or to the first peer), as SVG.

Colours and text are readable on light and on dark ground: a page's scheme need
not be the one that the picture is told.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from tests.performance.results import Results, Row

WIDTH, MARGIN, LABELS, VALUES = 900, 16, 232, 118  # px; left of the bars and right of them
BAR, GAP, GROUP_GAP = 11, 2, 13
TOP = 84
MOST = 4.0  # a ratio beyond it is drawn broken, its figure is written
TICKS = (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4)
COLOURS = {
    "pyrunc": "#6aa9f4",
    "snapshot": "#1f6feb",
    "runc": "#d08b45",
    "crun": "#8b929b",
    "runc-given": "#a8622a",
    "crun-given": "#b4b9c0",
}
STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #747c86 }
  .title { font-size: 15px; font-weight: 600 }
  .small { font-size: 10.5px }
  .value { font-size: 10px; font-variant-numeric: tabular-nums }
  .grid { stroke: #8b949e; stroke-opacity: .25 }
  .one { stroke: #8b949e; stroke-opacity: .7 }
  .break { stroke: #d9dde2; stroke-width: 2 }
"""


def draw(results: Results) -> str:
    """The whole picture."""
    peers = results.peers()
    baseline = "crun" if "crun" in peers else peers[0] if peers else results.ours()[0]
    rows = [row for row in results.rows if row.median(baseline)]
    body: list[str] = []
    y = TOP
    for row in rows:
        y = _group(body, results, row, baseline, y)
    return "\n".join([*_head(results, baseline, y), *body, *_foot(results, y), "</svg>", ""])


def _x(ratio: float) -> float:
    """Where a ratio is."""
    left, right = MARGIN + LABELS, WIDTH - MARGIN - VALUES
    return left + (right - left) * min(ratio, MOST) / MOST


def _text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{name} text-anchor="{anchor}">{escape(content)}</text>'


def _head(results: Results, baseline: str, bottom: int) -> list[str]:
    """Title, legend, axis and grid."""
    height = bottom + 40
    base = results.titles[baseline]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(f'pyrunc beside {base}')}</title>",
        f"<style>{STYLE}</style>",
        _text(MARGIN, 24, f"Time and memory as multiples of {base}'s, shorter is better", "title"),
    ]
    x = float(MARGIN)
    for key, title in results.titles.items():
        lines.append(f'<rect x="{x:.1f}" y="38" width="11" height="11" rx="2" fill="{COLOURS[key]}"/>')
        lines.append(_text(x + 16, 48, title))
        x += 40 + 6.8 * len(title)
    for tick in TICKS:
        kind = "one" if tick == 1 else "grid"
        lines.append(
            f'<line x1="{_x(tick):.1f}" y1="{TOP - 8}" x2="{_x(tick):.1f}" y2="{bottom}" class="{kind}"/>'
        )
        lines.append(_text(_x(tick), TOP - 13, f"{tick:g}×", "small", "middle"))
    return lines


def _group(body: list[str], results: Results, row: Row, baseline: str, y: int) -> int:
    """The bars of one case; returns where the next one begins."""
    height = len(results.titles) * (BAR + GAP)
    body.append(_text(MARGIN + LABELS - 12, y + height / 2 + 3, row.title, anchor="end"))
    for number, key in enumerate(results.titles):
        _bar(body, row, key, baseline, y + number * (BAR + GAP))
    return y + height + GROUP_GAP


def _bar(body: list[str], row: Row, key: str, baseline: str, y: int) -> None:
    value, ratio = row.median(key), row.ratio(key, baseline)
    if value is None or ratio is None:
        body.append(_text(_x(0) + 5, y + BAR - 2, "cannot", "value"))
        return
    end = _x(ratio)
    body.append(
        f'<rect x="{_x(0):.1f}" y="{y}" width="{end - _x(0):.1f}" height="{BAR}" rx="1.5" fill="{COLOURS[key]}"/>'
    )
    if ratio > MOST:
        for x in (end - 16, end - 11):
            body.append(f'<line x1="{x:.1f}" y1="{y + BAR}" x2="{x + 4:.1f}" y2="{y}" class="break"/>')
    shown = (
        f"{value:,.0f} KiB" if row.unit == "KiB" else f"{value:.2f} ms" if value < 100 else f"{value:.0f} ms"
    )
    body.append(_text(end + 5, y + BAR - 2, f"{ratio:.2f}× · {shown}", "value"))


def _foot(results: Results, y: int) -> list[str]:
    """Where the figures come from, on as many lines as it takes."""
    lines, line = [], ""
    for part in results.footer.split(" · "):
        if len(line) + len(part) > 140:
            lines.append(line)
            line = ""
        line += " · " * bool(line) + part
    lines.append(line)
    return [_text(MARGIN, y + 14 + 14 * number, line, "small") for number, line in enumerate(lines)]
