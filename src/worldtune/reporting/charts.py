"""Inline SVG: line charts, and intervals on a shared axis. No dependency, no script.

Colours are CSS classes (``series-0`` ...), so that charts follow the light or dark scheme of the
page around them. Values that are not finite leave gaps; a chart without a single point says so.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from worldtune.reporting.numbers import Measured, number, to_float, with_interval

MAX_POINTS = 500
"""Points drawn per line; longer curves are thinned after smoothing."""

NUM_COLOURS = 6
_WIDTH, _HEIGHT = 380, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 14, 10, 32
_STRIP_WIDTH, _STRIP_HEIGHT = 260, 22
_SMOOTHING_SHARE = 30
_NUM_TICKS = 4


@dataclass(frozen=True)
class Series:
    """One line: ``points`` are (x, y) in drawing order; ``colour`` picks the class series-N."""

    name: str
    points: tuple[tuple[float, float], ...]
    colour: int = 0
    is_smoothed: bool = True


@dataclass(frozen=True)
class _Axis:
    """A linear or logarithmic map from values to pixels."""

    low: float
    high: float
    start_px: float
    end_px: float
    is_log: bool = False

    def px(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.is_log:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return self.start_px + (at - low) / (high - low) * (self.end_px - self.start_px)

    def ticks(self) -> list[float]:
        return _log_ticks(self.low, self.high) if self.is_log else _ticks(self.low, self.high)


def smooth(values: Sequence[float]) -> list[float]:
    """Centred moving mean over a thirtieth of the curve on each side; gaps stay gaps.

    Centred, because a trailing mean would show every turn later than it happened.
    """
    reach = len(values) // _SMOOTHING_SHARE
    smoothed = []
    for i, value in enumerate(values):
        near = [v for v in values[max(0, i - reach) : i + reach + 1] if math.isfinite(v)]
        smoothed.append(sum(near) / len(near) if near and math.isfinite(value) else math.nan)
    return smoothed


def line_chart(title: str, series: Sequence[Series], *, x_label: str, is_log: bool = False) -> str:
    """A figure with its title, legend and axes; noisy lines smoothed, the raw ones faint behind.

    ``is_log`` asks for a logarithmic y axis; ignored where a value is not positive.
    """
    drawn = [line for line in (_finite(one) for one in series) if line.points]
    points = [point for line in drawn for point in line.points]
    heading = f"<figcaption>{escape(title)}{_legend(drawn)}</figcaption>"
    if not points:
        return f'<figure class="chart">{heading}<p class="nothing">Not recorded.</p></figure>'
    ys = [y for _, y in points]
    use_log = is_log and min(ys) > 0 and max(ys) > 3 * min(ys)
    x_axis = _axis([x for x, _ in points], _LEFT, _WIDTH - _RIGHT)
    y_axis = _log_axis(ys) if use_log else _axis(ys, _HEIGHT - _BOTTOM, _TOP, is_padded=True)
    lines = "".join(_line(line, x_axis, y_axis) for line in drawn)
    described = "; ".join(f"{line.name or title}: {_story(line)}" for line in drawn)
    return (
        f'<figure class="chart">{heading}<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
        f"<title>{escape(f'{title}. {described}')}</title>"
        f"{_grid(x_axis, y_axis, x_label)}{lines}</svg></figure>"
    )


def interval_strip(
    measured: Measured, *, low: float, high: float, reference: float | None = None, kind: str = ""
) -> str:
    """A point with its 95 % interval on an axis from ``low`` to ``high``, one table cell high.

    ``reference`` draws a vertical line (such as 0 for a gain); ``kind`` is an extra CSS class.
    """
    if not measured.is_defined or not low < high:
        return ""
    axis = _Axis(low, high, 6, _STRIP_WIDTH - 6)
    middle = _STRIP_HEIGHT / 2
    parts = [f'<line class="rail" x1="0" x2="{_STRIP_WIDTH}" y1="{middle}" y2="{middle}"/>']
    if reference is not None and low <= reference <= high:
        x = f"{axis.px(reference):.1f}"
        parts.append(f'<line class="zero" x1="{x}" x2="{x}" y1="0" y2="{_STRIP_HEIGHT}"/>')
    if measured.has_interval:
        x1, x2 = (f"{axis.px(min(max(v, low), high)):.1f}" for v in (measured.low, measured.high))
        parts.append(f'<line class="whisker" x1="{x1}" x2="{x2}" y1="{middle}" y2="{middle}"/>')
    at = axis.px(min(max(measured.mean, low), high))
    parts.append(f'<circle class="dot" cx="{at:.1f}" cy="{middle}" r="4.5"/>')
    return (
        f'<svg class="strip {escape(kind)}" viewBox="0 0 {_STRIP_WIDTH} {_STRIP_HEIGHT}" '
        f'role="img"><title>{escape(with_interval(measured))}</title>{"".join(parts)}</svg>'
    )


def shared_range(
    measurements: Iterable[Measured], *, include: float | None = None
) -> tuple[float, float]:
    """The axis on which all measurements fit with a margin; (0, 1) if there are none."""
    values = [v for m in measurements for v in (m.mean, m.low, m.high) if math.isfinite(v)]
    if include is not None:
        values.append(include)
    if not values:
        return 0.0, 1.0
    margin = 0.06 * (max(values) - min(values)) or 0.5
    return min(values) - margin, max(values) + margin


def bars(title: str, values: Sequence[tuple[str, float, str]]) -> str:
    """Horizontal bars from 0: (name, value >= 0, value in words). Undefined ones are left out."""
    known = [(name, value, words) for name, value, words in values if to_float(value) >= 0]
    longest = max((value for _, value, _ in known), default=0) or 1
    rows = "".join(
        f'<div class="bar-name">{escape(name)}</div><div class="bar-track">'
        f'<div class="bar" style="width:{100 * value / longest:.1f}%"></div></div>'
        f'<div class="bar-value">{escape(words)}</div>'
        for name, value, words in known
    )
    body = f'<div class="bars">{rows}</div>' if known else '<p class="nothing">Not recorded.</p>'
    return f'<figure class="chart"><figcaption>{escape(title)}</figcaption>{body}</figure>'


def _finite(series: Series) -> Series:
    """The series without points that cannot be drawn."""
    points = ((to_float(x), to_float(y)) for x, y in series.points)
    kept = tuple((x, y) for x, y in points if math.isfinite(x) and math.isfinite(y))
    return Series(series.name, kept, series.colour, series.is_smoothed)


def _story(series: Series) -> str:
    (x_first, first), (x_last, last) = series.points[0], series.points[-1]
    return f"from {number(first)} at {x_first:g} to {number(last)} at {x_last:g}"


def _legend(series: Sequence[Series]) -> str:
    """Names with their last smoothed value, which is what a reader looks for first."""
    items = ""
    for line in series:
        last = _shown(line)[-1][1]
        items += (
            f'<span class="key series-{line.colour % NUM_COLOURS}">{escape(line.name)} '
            f"<b>{number(last)}</b></span>"
        )
    return f'<span class="legend">{items}</span>' if items else ""


def _shown(series: Series) -> list[tuple[float, float]]:
    if not series.is_smoothed:
        return list(series.points)
    ys = smooth([y for _, y in series.points])
    return [(x, y) for (x, _), y in zip(series.points, ys, strict=True)]


def _line(series: Series, x_axis: _Axis, y_axis: _Axis) -> str:
    colour = f"series-{series.colour % NUM_COLOURS}"
    shown = _shown(series)
    parts = []
    if series.is_smoothed and len(shown) >= _SMOOTHING_SHARE:
        parts.append(f'<path class="raw {colour}" d="{_path(series.points, x_axis, y_axis)}"/>')
    parts.append(f'<path class="line {colour}" d="{_path(shown, x_axis, y_axis)}"/>')
    marked = shown if not series.is_smoothed or len(shown) == 1 else shown[-1:]
    if len(marked) <= _SMOOTHING_SHARE:
        parts += [
            f'<circle class="point {colour}" cx="{x_axis.px(x):.1f}" cy="{y_axis.px(y):.1f}" '
            'r="2.8"/>'
            for x, y in marked
        ]
    return "".join(parts)


def _path(points: Sequence[tuple[float, float]], x_axis: _Axis, y_axis: _Axis) -> str:
    every = math.ceil(len(points) / MAX_POINTS)
    kept = list(points[::every])
    if points[-1] != kept[-1]:
        kept.append(points[-1])
    return "M" + "L".join(f"{x_axis.px(x):.1f} {y_axis.px(y):.1f}" for x, y in kept)


def _grid(x_axis: _Axis, y_axis: _Axis, x_label: str) -> str:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for tick, text in zip(y_axis.ticks(), _tick_texts(y_axis.ticks()), strict=True):
        y = f"{y_axis.px(tick):.1f}"
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y}" dy="3.5" text-anchor="end">{text}</text>')
    for tick, text in zip(x_axis.ticks(), _tick_texts(x_axis.ticks()), strict=True):
        x = f"{x_axis.px(tick):.1f}"
        parts.append(f'<text x="{x}" y="{bottom + 14}" text-anchor="middle">{text}</text>')
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    name = escape(x_label)
    parts.append(f'<text x="{right}" y="{_HEIGHT - 4}" text-anchor="end">{name}</text>')
    return "".join(parts)


def _tick_texts(ticks: Sequence[float]) -> list[str]:
    """All ticks of an axis with the same number of decimals."""
    texts = [f"{tick:.6g}" for tick in ticks]
    if any("e" in text for text in texts):
        return [f"{tick:.1g}" for tick in ticks]
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [f"{tick:,.{decimals}f}" for tick in ticks]


def _axis(values: Sequence[float], start: float, end: float, *, is_padded: bool = False) -> _Axis:
    low, high = min(values), max(values)
    if low == high:
        low, high = low - (abs(low) * 0.1 or 0.5), high + (abs(high) * 0.1 or 0.5)
    elif is_padded:
        margin = 0.06 * (high - low)
        # A rate that never goes below 0 is not shown as if it could.
        low, high = (0.0 if 0 <= low < 3 * margin else low - margin), high + margin
    return _Axis(low, high, start, end)


def _log_axis(values: Sequence[float]) -> _Axis:
    return _Axis(min(values) / 1.1, max(values) * 1.1, _HEIGHT - _BOTTOM, _TOP, is_log=True)


def _ticks(low: float, high: float) -> list[float]:
    """About four round values (1, 2 or 5 times a power of ten) within the range."""
    rough = (high - low) / _NUM_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 5, 10) if power * f >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten within the range, thinned to powers of ten if many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [f * 10.0**p for p in powers for f in (1, 2, 5) if low <= f * 10.0**p <= high]
    if len(ticks) <= 2 * _NUM_TICKS:
        return ticks
    return [10.0**p for p in powers if low <= 10.0**p <= high]
