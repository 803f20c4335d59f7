/** A whole picture, on white. */
export function svg(picture: {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly parts: readonly string[];
}): string {
  const { width, height, title, parts } = picture;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="20" y="26" font-size="16" font-weight="bold">${escapeXml(title)}</text>
${parts.join('\n')}
</svg>
`;
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
