import { describe, expect, test } from 'vitest';
import { checkUserFields, checkUserFieldsSchema, publicFields } from '../../shared/app/user-fields.ts';

const pathsOf = (work: () => unknown): string[] => {
  try {
    work();
    return [];
  } catch (error) {
    return (error as { refusal: { errors: Array<{ path: string }> } }).refusal.errors.map(({ path }) => path);
  }
};
const of = (properties: unknown, more = {}) => ({ type: 'object', properties, ...more });

describe('the extra user fields of an app', () => {
  const schema = checkUserFieldsSchema(
    of(
      {
        city: { type: 'string', maxLength: 5, title: 'City' },
        plan: { type: 'string', enum: ['free', 'gold'] },
        level: { type: 'integer', minimum: 0, maximum: 9 },
        height: { type: 'number' },
        vip: { type: 'boolean' },
        tags: { type: 'array', items: { type: 'string', maxLength: 3 }, maxItems: 2 },
      },
      { required: ['city'], additionalProperties: false },
    ),
  );

  test('names that mean something of their own are refused', () => {
    for (const name of ['userId', 'account', 'profile', 'roles', 'constructor', 'toString', '__defineGetter__']) {
      expect(pathsOf(() => checkUserFieldsSchema(of({ [name]: { type: 'string' } })))).toEqual([`properties.${name}`]);
    }
    const own = JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}}}');
    expect(pathsOf(() => checkUserFieldsSchema(own))).toEqual(['properties.__proto__']);
  });

  test('what a schema asks for and this server cannot hold to is refused, not passed over', () => {
    const wrong: unknown[] = [
      null,
      [],
      { type: 'string' },
      of({}),
      of({ a: { type: 'object' } }),
      of({ a: { type: 'string', pattern: '^x' } }),
      of({ a: { type: 'string', maxLength: '5' } }),
      of({ a: { type: 'string', enum: [1] } }),
      of({ a: { type: 'integer', enum: [] } }),
      of({ a: { type: 'array' } }),
      of({ a: { type: 'array', items: { type: 'integer' } } }),
      of({ a: { type: 'string' } }, { required: ['b'] }),
      of({ a: { type: 'string' } }, { additionalProperties: true }),
      of({ a: { type: 'string' } }, { patternProperties: {} }),
      of({ '1a': { type: 'string' } }),
    ];
    for (const one of wrong)
      expect(
        pathsOf(() => checkUserFieldsSchema(one)),
        JSON.stringify(one),
      ).not.toEqual([]);
  });

  test('values are taken as the schema says', () => {
    const right = { city: '杭州', plan: 'gold', level: 9, height: 1.8, vip: false, tags: ['a', 'b'] };
    expect(pathsOf(() => checkUserFields(schema, right))).toEqual([]);
    const wrong: Array<[Record<string, unknown>, string]> = [
      [{ city: 'too long' }, 'city'],
      [{ city: 'x', plan: 'silver' }, 'plan'],
      [{ city: 'x', level: 10 }, 'level'],
      [{ city: 'x', level: 1.5 }, 'level'],
      [{ city: 'x', height: '1.8' }, 'height'],
      [{ city: 'x', vip: 1 }, 'vip'],
      [{ city: 'x', tags: ['a', 'b', 'c'] }, 'tags'],
      [{ city: 'x', tags: ['long'] }, 'tags'],
      [{ city: 'x', more: 1 }, 'more'],
      [{ plan: 'free' }, 'city'],
      [JSON.parse('{"city":"x","__proto__":{"vip":true}}'), '__proto__'],
    ];
    for (const [fields, name] of wrong)
      expect(pathsOf(() => checkUserFields(schema, fields))).toEqual([`fields.${name}`]);
    expect(pathsOf(() => checkUserFields(null, { city: 'x' }))).toEqual(['fields.city']);
  });

  test('a field that the schema no longer names is no longer shown', () => {
    expect(publicFields(schema, { city: 'x', former: 1 })).toEqual({ city: 'x' });
    expect(publicFields(null, { city: 'x' })).toBeUndefined();
  });
});
