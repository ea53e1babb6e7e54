export type Language = 'zh' | 'en';
export type Text = Record<Language, string>;

/** Five quarters of an invented river town, so that no real place is promised anything. */
export const places: readonly Text[] = [
  { zh: '江畔', en: 'Riverside' },
  { zh: '老城', en: 'Old Town' },
  { zh: '大学城', en: 'Campus' },
  { zh: '湖西', en: 'Lake West' },
  { zh: '云山', en: 'Cloud Hill' },
];

/** The element at an index that runs past the end and starts over. */
export function pick<T>(list: readonly T[], index: number): T {
  const element = list[index % list.length];
  if (element === undefined) throw new RangeError('an empty list has nothing to pick');
  return element;
}
