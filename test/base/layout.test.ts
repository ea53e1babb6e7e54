import { describe, expect, test } from 'vitest';
import type { Key } from '../../shared/keys.ts';
import { layout, letters, nothingPacked } from '../../shared/layout.ts';

const RULE = layout({ counter: 'key', limit: 'number', name: 'text', table: 'other', open: 'flag' });

describe('a layout', () => {
  test('packs values by name, in the order in which its Lua takes them', () => {
    const into = nothingPacked();
    const values = { open: true, name: 'calls', table: 'table' as Key, limit: 3, counter: 'count' as Key };
    RULE.pack(into, values);
    expect(into).toEqual({ keys: ['count'], others: ['table'], args: [3, 'calls', '1'] });
    expect(RULE.take).toBe(
      [
        'local counterKey, counter = key()',
        'local tableKey = other()',
        "local limit, name, open = number(), take(), take() == '1'",
      ].join('\n'),
    );
  });

  test('declares and assigns the same locals for a part that is not always sent', () => {
    expect(RULE.declare).toBe('local counterKey, counter, limit, name, tableKey, open');
    expect(RULE.assign).toBe(RULE.take.replaceAll('local ', ''));
  });

  test('adds to what is packed already', () => {
    const into = nothingPacked();
    const one = layout({ count: 'number' });
    one.pack(into, { count: 1 });
    one.pack(into, { count: 2 });
    expect(into).toEqual({ keys: [], others: [], args: [1, 2] });
  });

  test('reads the answer that its Lua gives', () => {
    const answer = layout({ place: 'number', who: 'text', extended: 'flag' });
    expect(answer.give).toBe("int(place), who, extended and '1' or '0'");
    expect(answer.read(['locked', '3', 'ann', '1'], 1)).toEqual({ place: 3, who: 'ann', extended: true });
    expect(answer.length).toBe(3);
  });
});

test('letters give each flag a name at both ends', () => {
  const flags = letters({ extends: 'e', shadow: 's' });
  expect(flags.pack({ extends: true, shadow: false })).toBe('e');
  expect(flags.pack({ shadow: true, extends: true })).toBe('es');
  expect(flags.lua.shadow).toBe("'s'");
});
