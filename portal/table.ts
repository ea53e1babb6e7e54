import { translated } from './language.ts';

/** Columns of text for a terminal; Chinese characters are two columns wide. */
export function table(headings: readonly string[], rows: ReadonlyArray<readonly string[]>): string[] {
  if (rows.length === 0) return [translated('none')];
  const lines = [headings.map(translated), ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))));
  return lines.map((line) =>
    line
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
      .join('  ')
      .trimEnd(),
  );
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/gu;
const widthOf = (text: string): number => [...text].length + (text.match(WIDE)?.length ?? 0);

/** One line for each name and its value. */
export function fields(members: Record<string, string>): string[] {
  return table(
    ['', ''],
    Object.entries(members).map(([name, value]) => [translated(name), value]),
  ).slice(1);
}
