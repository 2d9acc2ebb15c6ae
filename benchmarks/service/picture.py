"""docs/benchmarks.svg: each workload's ratio as a bar, and its target as a line across it."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.service.figures import Figure
from benchmarks.service.tables import target_of

ROW, TOP, LABELS, BARS, WIDTH = 26, 56, 270, 320, 900
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.faint { fill: #59636e } .met { fill: #1a7f37 } .missed { fill: #bc4c00 }
.target { stroke: #1f2328; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .faint { fill: #9198a1 } .met { fill: #3fb950 } .missed { fill: #f0883e }
  .target { stroke: #e6edf3 }
}
"""


def svg(figures: Sequence[Figure], caption: str) -> str:
    shown = [figure for figure in figures if figure.ratio]
    height = TOP + ROW * len(shown) + 12
    most = max(math.log1p(_most(figure)) for figure in shown)
    rows = "\n".join(line for n, each in enumerate(shown) for line in _row(n, each, most))
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">
<title>What a request costs, as ratios</title>
<style>{STYLE}</style>
<text x="8" y="20">What a request costs: the ratio (bar, logarithmic) and its target (line)</text>
<text x="8" y="40" class="faint">{escape(caption)}</text>
{rows}
</svg>
"""


def _row(number: int, figure: Figure, most: float) -> Iterator[str]:
    assert figure.ratio
    y = TOP + ROW * number
    length = BARS * math.log1p(figure.ratio.median) / most
    than = "times below" if figure.is_gain else "of"
    of = f"{figure.ratio.median:.2f} {than} {figure.peer}, target {target_of(figure)}"
    style = "met" if figure.is_met else "missed"
    yield f'<text x="8" y="{y + 14}">{escape(figure.name)}</text>'
    yield f'<rect x="{LABELS}" y="{y + 3}" width="{length:.1f}" height="14" class="{style}"/>'
    if figure.target:
        x = LABELS + BARS * math.log1p(figure.target) / most
        yield f'<path d="M{x:.1f} {y}v20" class="target"/>'
    yield f'<text x="{LABELS + BARS + 12}" y="{y + 14}" class="faint">{escape(of)}</text>'


def _most(figure: Figure) -> float:
    assert figure.ratio
    return max(figure.ratio.median, figure.target or 0)
