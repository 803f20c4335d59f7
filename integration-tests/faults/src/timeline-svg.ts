import type { FaultRunResult } from './fault-run-result.js';
import type { InjectedFault } from './injected-fault.js';

const WIDTH = 1_600;
const LEFT = 110;
const RIGHT = 20;
const TOP = 60;
const ROW = 20;
/** How long one band of the chart lasts, in ms: long enough to see what came of what, short enough for the names of the faults. */
const BAND_MS = 30_000;
const TICK_MS = 5_000;
const BAND_GAP = 50;
/** Of the faults' names, in pixels: about as wide as a letter is. */
const LETTER = 5.2;
const COLORS = ['#3b6fb6', '#d9822b', '#3a9a5b', '#b5443f', '#8062ad', '#7f7f7f', '#c05f9c'];
const DATABASE = 'database';

/** Who led when, a row for each group, with the faults of each member and of the database below, in bands of half a minute: for people, who would rather look than read. */
export function timelineSvg(result: FaultRunResult): string {
  const { startedAtMs, endedAtMs, leaderships, faults, groups, violations } = result;
  const members = [...result.members].toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const colorOf = (member: string): string => COLORS[members.indexOf(member) % COLORS.length]!;
  const sufferers = [...members, DATABASE];
  const bandHeight = (groups.length + sufferers.length) * ROW + 10 + BAND_GAP;
  const bandCount = Math.max(1, Math.ceil((endedAtMs - startedAtMs) / BAND_MS));
  const height = TOP + bandCount * bandHeight;

  const band = (at: number): string => {
    const fromMs = startedAtMs + at * BAND_MS;
    const untilMs = fromMs + BAND_MS;
    const top = TOP + at * bandHeight;
    const bottom = top + bandHeight - BAND_GAP;
    const x = (atMs: number): number => {
      const within = Math.min(Math.max(atMs, fromMs), untilMs);
      return round(LEFT + ((within - fromMs) / BAND_MS) * (WIDTH - LEFT - RIGHT));
    };
    const overlaps = (from: number, until: number): boolean => from < untilMs && until > fromMs;
    const parts: string[] = [];
    for (let atMs = fromMs; atMs <= untilMs; atMs += TICK_MS) {
      parts.push(`<line x1="${x(atMs)}" x2="${x(atMs)}" y1="${top - 6}" y2="${bottom}" stroke="#e4e4e4"/>`);
      parts.push(
        `<text x="${x(atMs)}" y="${bottom + 14}" text-anchor="middle" fill="#666">${((atMs - startedAtMs) / 1_000).toFixed(0)} s</text>`,
      );
    }
    for (const [row, group] of groups.entries()) {
      const y = top + row * ROW;
      parts.push(`<text x="${LEFT - 10}" y="${y + 12}" text-anchor="end">${escape(group)}</text>`);
      for (const { group: led, term, process, beganAtMs, trustedUntilMs } of leaderships) {
        if (led !== group || !overlaps(beganAtMs, trustedUntilMs)) continue;
        const width = Math.max(1, round(x(trustedUntilMs) - x(beganAtMs)));
        const title = `${process}, term ${term}, ${((trustedUntilMs - beganAtMs) / 1_000).toFixed(2)} s`;
        parts.push(
          `<rect x="${x(beganAtMs)}" y="${y}" width="${width}" height="${ROW - 5}" fill="${colorOf(memberOf(process))}" stroke="white" stroke-width="0.5"><title>${escape(title)}</title></rect>`,
        );
        if (width > 24) parts.push(`<text x="${x(beganAtMs) + 3}" y="${y + 11}" font-size="9" fill="white">${term}</text>`);
      }
    }
    for (const [row, sufferer] of sufferers.entries()) {
      const y = top + (groups.length + row) * ROW + 10;
      const color = sufferer === DATABASE ? '#222' : colorOf(sufferer);
      parts.push(`<text x="${LEFT - 10}" y="${y + 12}" text-anchor="end" fill="${color}">${escape(sufferer)}</text>`);
      const own = faults
        .filter((fault) => (fault.member ?? DATABASE) === sufferer && overlaps(fault.fromMs, fault.untilMs))
        .toSorted((a, b) => a.fromMs - b.fromMs);
      for (const [place, fault] of own.entries()) {
        const next = own[place + 1];
        parts.push(faultMark(fault, x(fault.fromMs), x(fault.untilMs), y, next ? x(next.fromMs) : WIDTH - RIGHT));
      }
    }
    for (const { atMs, rule, message } of violations) {
      if (!overlaps(atMs, atMs + 1)) continue;
      parts.push(
        `<line x1="${x(atMs)}" x2="${x(atMs)}" y1="${top - 6}" y2="${bottom}" stroke="red" stroke-width="2"><title>${escape(message)}</title></line>`,
        `<text x="${x(atMs) + 4}" y="${top - 8}" fill="red">${escape(rule)}</text>`,
      );
    }
    return parts.join('\n');
  };

  const legend = members
    .map((member, at) => `<tspan x="${LEFT + at * 110}" fill="${colorOf(member)}">■ ${escape(member)}</tspan>`)
    .join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
<text x="20" y="20" font-size="15" font-weight="bold">${escape(result.title)}, seed ${result.seed}: who led when (with the term), and what was broken</text>
<text y="40">${legend}</text>
${Array.from({ length: bandCount }, (_, at) => band(at)).join('\n')}
</svg>
`;
}

/** A fault, with as much of its name as there is room for before the next one. */
function faultMark({ kind, fromMs, untilMs }: InjectedFault, left: number, right: number, y: number, limit: number): string {
  const width = Math.max(2, round(right - left));
  const letters = Math.floor((limit - left - 4) / LETTER);
  const name = kind.length <= letters ? kind : letters >= 5 ? `${kind.slice(0, letters - 1)}…` : '';
  const title = untilMs === Infinity ? `${kind}, to the end` : `${kind}, ${((untilMs - fromMs) / 1_000).toFixed(2)} s`;
  return (
    `<rect x="${left}" y="${y + 1}" width="${width}" height="${ROW - 7}" fill="#222" fill-opacity="0.22"><title>${escape(title)}</title></rect>` +
    (name === '' ? '' : `<text x="${left + 3}" y="${y + 11}" font-size="9">${escape(name)}</text>`)
  );
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}

function memberOf(process: string): string {
  return process.slice(0, process.lastIndexOf('.'));
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
