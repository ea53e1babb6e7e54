import type { SqlValue } from './db.ts';

/** A piece of SQL with the values of its question marks. A value is written where it is used, so no order can be wrong. */
export interface Fragment {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** Fragments are inserted as they are; everything else becomes a question mark. */
export function sql(parts: TemplateStringsArray, ...holes: ReadonlyArray<Fragment | SqlValue>): Fragment {
  let text = '';
  const values: SqlValue[] = [];
  for (const [index, part] of parts.entries()) {
    text += part;
    if (index >= holes.length) continue;
    const hole = holes[index] as Fragment | SqlValue;
    if (isFragment(hole)) {
      text += hole.text;
      values.push(...hole.values);
    } else {
      text += '?';
      values.push(hole);
    }
  }
  return { text, values };
}

const isFragment = (hole: Fragment | SqlValue): hole is Fragment =>
  typeof hole === 'object' && hole !== null && 'text' in hole;
