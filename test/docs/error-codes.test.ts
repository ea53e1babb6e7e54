import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ERROR_TABLE } from '../../shared/http/error-table.ts';

/** Turns `| 404 | `NOT_FOUND`, `UNKNOWN_PLUGIN` |` into one line for each code: `404 NOT_FOUND`. */
function documentedCodes(): string[] {
  const [, section = ''] = readFileSync('docs/api.md', 'utf8').split(/^## Codes$/m);
  const rows = section.matchAll(/^\| (\d{3}) \| (.*) \|$/gm);
  return [...rows].flatMap(([, status, codes = '']) =>
    [...codes.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, code]) => `${status} ${code}`),
  );
}

const rows = Object.entries(ERROR_TABLE);

describe('the table of errors', () => {
  test('is the same as in docs/api.md: every code with its status, and no others', () => {
    expect(documentedCodes().sort()).toEqual(rows.map(([code, { status }]) => `${status} ${code}`).sort());
  });

  test.each(rows)('explains %s in two languages', (_, { en, zh }) => {
    for (const text of en) expect(text).toMatch(/^[A-Z][ -~]+$/);
    for (const text of zh) expect(text).toMatch(/\p{Script=Han}/u);
    expect([en[1].at(-1), zh[1].at(-1)]).toEqual(['.', '。']);
  });
});
