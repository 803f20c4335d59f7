import type { FaultRunResult } from './fault-run.js';

const WIDTH = 1_600;
const LEFT = 150;
const ROW = 22;
const COLORS = ['#3b6fb6', '#d9822b', '#3a9a5b', '#b5443f', '#8062ad', '#7f7f7f', '#c05f9c'];

/** Who led when, a row for each group, with the faults of each member drawn below: for people, who would rather look than read. */
export function timelineSvg(result: FaultRunResult): string {
  const { startedAtMs, endedAtMs, leaderships, faults, groups } = result;
  const members = [
    ...new Set([
      ...leaderships.map((each) => memberOf(each.process)),
      ...faults.flatMap(({ member }) => (member === null ? [] : [member])),
    ]),
  ].toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const colorOf = (member: string): string => COLORS[members.indexOf(member) % COLORS.length]!;
  const x = (atMs: number): number => LEFT + ((atMs - startedAtMs) / (endedAtMs - startedAtMs)) * (WIDTH - LEFT - 20);
  const faultTop = 70 + groups.length * ROW + 30;
  const height = faultTop + members.length * ROW + 60;
  const parts: string[] = [];
  const seconds = (endedAtMs - startedAtMs) / 1_000;
  const step = seconds <= 60 ? 5 : seconds <= 600 ? 30 : 300;
  for (let second = 0; second <= seconds; second += step) {
    const at = x(startedAtMs + second * 1_000);
    parts.push(`<line x1="${at}" x2="${at}" y1="60" y2="${height - 40}" stroke="#e4e4e4"/>`);
    parts.push(`<text x="${at}" y="${height - 22}" text-anchor="middle" fill="#666">${second} s</text>`);
  }
  for (const [row, group] of groups.entries()) {
    const y = 70 + row * ROW;
    parts.push(`<text x="${LEFT - 10}" y="${y + 13}" text-anchor="end">${escape(group)}</text>`);
    for (const { term, process, beganAtMs, trustedUntilMs } of leaderships.filter((each) => each.group === group)) {
      const width = Math.max(1, x(trustedUntilMs) - x(beganAtMs));
      const title = `${process}, term ${term}, ${((trustedUntilMs - beganAtMs) / 1_000).toFixed(2)} s`;
      parts.push(
        `<rect x="${x(beganAtMs)}" y="${y}" width="${width}" height="${ROW - 6}" fill="${colorOf(memberOf(process))}"><title>${escape(title)}</title></rect>`,
      );
    }
  }
  parts.push(`<text x="${LEFT}" y="${faultTop - 10}" font-weight="bold">faults</text>`);
  for (const [row, member] of members.entries()) {
    const y = faultTop + row * ROW;
    parts.push(`<text x="${LEFT - 10}" y="${y + 13}" text-anchor="end" fill="${colorOf(member)}">${escape(member)}</text>`);
    for (const fault of faults.filter((each) => each.member === member)) {
      const width = Math.max(2, x(fault.untilMs) - x(fault.fromMs));
      const title = `${fault.kind}, ${((fault.untilMs - fault.fromMs) / 1_000).toFixed(2)} s`;
      parts.push(
        `<rect x="${x(fault.fromMs)}" y="${y + 2}" width="${width}" height="${ROW - 10}" fill="#222" fill-opacity="0.25"><title>${escape(title)}</title></rect>`,
      );
      if (width > 40) parts.push(`<text x="${x(fault.fromMs) + 3}" y="${y + 12}" font-size="9">${escape(fault.kind)}</text>`);
    }
  }
  const legend = members
    .map((member, at) => `<tspan x="${LEFT + at * 110}" fill="${colorOf(member)}">■ ${escape(member)}</tspan>`)
    .join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="20" y="24" font-size="16" font-weight="bold">${escape(result.target)}, seed ${result.seed}: who led when</text>
<text y="46">${legend}</text>
${parts.join('\n')}
</svg>
`;
}

function memberOf(process: string): string {
  return process.slice(0, process.lastIndexOf('.'));
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
