/** A provider's own limit of a text, in the unit in which the provider counts. */
export interface TextBound {
  readonly least?: number;
  readonly most: number;
  /**
   * `bytes` of UTF-8. `characters`: only for texts of ASCII, where every reading gives the same number. `codePoints`:
   * where the provider counts letters of any script.
   */
  readonly unit: 'bytes' | 'characters' | 'codePoints';
}

function sizeOf(text: string, { unit }: TextBound): number {
  if (unit === 'bytes') return Buffer.byteLength(text, 'utf8');
  return unit === 'codePoints' ? [...text].length : text.length;
}

export function fits(text: string, bound: TextBound): boolean {
  const size = sizeOf(text, bound);
  return size >= (bound.least ?? 1) && size <= bound.most;
}

/** The longest beginning that fits and ends between two characters as people see them: an emoji is not cut. */
export function cutTo(text: string, bound: TextBound): string {
  if (sizeOf(text, bound) <= bound.most) return text;
  let cut = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (sizeOf(cut + segment, bound) > bound.most) break;
    cut += segment;
  }
  return cut === '' ? cutWithinCharacter(text, bound) : cut;
}

/** The first visible character alone is too long: then between two code points, never inside a surrogate pair. */
function cutWithinCharacter(text: string, bound: TextBound): string {
  let cut = '';
  for (const point of text) {
    if (sizeOf(cut + point, bound) > bound.most) break;
    cut += point;
  }
  return cut;
}
