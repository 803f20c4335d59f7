import { escapeXml, svg } from './svg.js';

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** The ends of the spread. */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  /** Bars of one series have one colour. */
  readonly series?: string | undefined;
}

export interface BarChart {
  readonly kind: 'bars';
  readonly title: string;
  /** What the length of a bar is: `ratio`, `ms`. */
  readonly unit: string;
  readonly bars: readonly Bar[];
  readonly goal?: number | undefined;
  /** For values that lie far apart. */
  readonly isLogarithmic?: boolean | undefined;
}

const WIDTH = 900;
const LEFT = 330;
const RIGHT = 120;
const ROW = 26;
const COLORS: readonly string[] = ['#3b6fb6', '#d9822b', '#3a9a5b', '#b5443f', '#8062ad', '#7f7f7f', '#c05f9c', '#4aa3a3'];

/** A bar for each value, with its spread as a line, and the goal as a dashed one. */
export function barChart({ title, unit, bars, goal, isLogarithmic = false }: BarChart): string {
  const series = [...new Set(bars.map((bar) => bar.series ?? ''))];
  const top = 60 + (series.length > 1 ? 24 : 0);
  const height = top + bars.length * ROW + 50;
  const values = bars.flatMap(({ value, high }) => [value, high ?? value]).concat(goal ?? []);
  const most = Math.max(...values) * 1.05;
  const least = isLogarithmic ? Math.min(...bars.flatMap(({ value, low }) => [value, low ?? value]).filter((value) => value > 0)) / 2 : 0;
  const share = (value: number): number =>
    isLogarithmic ? Math.log(Math.max(value, least) / least) / Math.log(most / least) : value / most;
  const x = (value: number): number => LEFT + share(value) * (WIDTH - LEFT - RIGHT);
  const bottom = top + bars.length * ROW;
  const parts: string[] = [];
  for (const tick of isLogarithmic ? decades(least, most) : ticks(most)) {
    parts.push(`<line x1="${x(tick)}" x2="${x(tick)}" y1="${top - 6}" y2="${bottom}" stroke="#e4e4e4"/>`);
    parts.push(`<text x="${x(tick)}" y="${bottom + 16}" text-anchor="middle" fill="#666">${tick.toLocaleString('en-US')}</text>`);
  }
  for (const [row, { label, value, low, high, series: name = '' }] of bars.entries()) {
    const y = top + row * ROW;
    const middle = y + (ROW - 8) / 2;
    const color = COLORS[series.indexOf(name) % COLORS.length]!;
    parts.push(`<text x="${LEFT - 10}" y="${middle + 4}" text-anchor="end">${escapeXml(label)}</text>`);
    parts.push(`<rect x="${LEFT}" y="${y}" width="${Math.max(1, x(value) - LEFT)}" height="${ROW - 8}" fill="${color}"/>`);
    if (low !== undefined && high !== undefined)
      parts.push(`<line x1="${x(low)}" x2="${x(high)}" y1="${middle}" y2="${middle}" stroke="#111" stroke-width="1.5"/>`);
    const end = x(Math.max(value, high ?? value)) + 8;
    parts.push(`<text x="${end}" y="${middle + 4}" font-weight="bold">${shown(value)}</text>`);
  }
  if (goal !== undefined) {
    parts.push(
      `<line x1="${x(goal)}" x2="${x(goal)}" y1="${top - 10}" y2="${bottom}" stroke="#b5443f" stroke-width="1.5" stroke-dasharray="5 4"/>`,
    );
    parts.push(`<text x="${x(goal) + 5}" y="${top - 10}" fill="#b5443f">goal: ${goal}</text>`);
  }
  if (series.length > 1) parts.push(legend(series));
  parts.push(`<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${bottom + 36}" text-anchor="middle" fill="#666">${escapeXml(unit)}</text>`);
  return svg({ width: WIDTH, height, title, parts });
}

/** The names of series in their colours. */
function legend(series: readonly string[]): string {
  let x = 20;
  return series
    .map((name, at) => {
      const text = `<text x="${x}" y="50" fill="${COLORS[at % COLORS.length]!}">■ ${escapeXml(name)}</text>`;
      x += 40 + name.length * 7;
      return text;
    })
    .join('\n');
}

/** From 0, in round steps. */
function ticks(most: number): number[] {
  const rough = most / 6;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * magnitude).find((each) => each >= rough)!;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_tick, at) => Number((at * step).toPrecision(6)));
}

/** The powers of ten in between. */
function decades(least: number, most: number): number[] {
  const first = Math.ceil(Math.log10(least));
  const last = Math.floor(Math.log10(most));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_tick, at) => Number((10 ** (first + at)).toPrecision(6)));
}

function shown(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value >= 10 ? value.toFixed(1) : value.toFixed(value >= 0.1 ? 2 : 4);
}
