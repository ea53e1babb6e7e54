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
const objectSchema = (properties: unknown, more = {}) => ({ type: 'object', properties, ...more });

describe('the extra user fields of an app', () => {
  const schema = checkUserFieldsSchema(
    objectSchema(
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

  test('reserved names are refused', () => {
    for (const name of ['userId', 'account', 'profile', 'roles', 'constructor', 'toString', '__defineGetter__']) {
      expect(pathsOf(() => checkUserFieldsSchema(objectSchema({ [name]: { type: 'string' } })))).toEqual([
        `properties.${name}`,
      ]);
    }
    const own = JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}}}');
    expect(pathsOf(() => checkUserFieldsSchema(own))).toEqual(['properties.__proto__']);
  });

  test('a schema with a rule that this server cannot enforce is refused', () => {
    const wrong: unknown[] = [
      null,
      [],
      { type: 'string' },
      objectSchema({}),
      objectSchema({ a: { type: 'object' } }),
      objectSchema({ a: { type: 'string', pattern: '^x' } }),
      objectSchema({ a: { type: 'string', maxLength: '5' } }),
      objectSchema({ a: { type: 'string', enum: [1] } }),
      objectSchema({ a: { type: 'integer', enum: [] } }),
      objectSchema({ a: { type: 'array' } }),
      objectSchema({ a: { type: 'array', items: { type: 'integer' } } }),
      objectSchema({ a: { type: 'string' } }, { required: ['b'] }),
      objectSchema({ a: { type: 'string' } }, { additionalProperties: true }),
      objectSchema({ a: { type: 'string' } }, { patternProperties: {} }),
      objectSchema({ '1a': { type: 'string' } }),
    ];
    for (const one of wrong)
      expect(
        pathsOf(() => checkUserFieldsSchema(one)),
        JSON.stringify(one),
      ).not.toEqual([]);
  });

  test('values are checked against the schema', () => {
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

  test('a stored field that the schema no longer has is not shown', () => {
    expect(publicFields(schema, { city: 'x', former: 1 })).toEqual({ city: 'x' });
    expect(publicFields(null, { city: 'x' })).toBeUndefined();
  });
});
