import { beforeEach, describe, expect, test } from 'vitest';
import { checkConfig } from '../../shared/config.ts';
import { addressOf } from '../../shared/uploads/address.ts';
import { objectStore, objectUrl } from '../../shared/uploads/settings.ts';

const NAMES = ['ENDPOINT', 'BUCKET', 'REGION', 'KEY_ID', 'SECRET'].map((name) => `UPLOADS_${name}`);
const set = (values: Record<string, string>) => {
  for (const name of [...NAMES, 'UPLOADS_PUBLIC_URL']) delete process.env[name];
  Object.assign(process.env, values);
};
const WHOLE = {
  UPLOADS_ENDPOINT: 'https://account.r2.example.com',
  UPLOADS_BUCKET: 'pictures',
  UPLOADS_REGION: 'auto',
  UPLOADS_KEY_ID: 'key',
  UPLOADS_SECRET: 'word',
};
const problemsOf = (): string => {
  try {
    checkConfig();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('the settings of uploads', () => {
  beforeEach(() => set({}));

  test('may be absent, and an empty value is absent', () => {
    for (const values of [{}, { UPLOADS_ENDPOINT: '', UPLOADS_SECRET: '' }]) {
      set(values);
      expect(problemsOf()).not.toContain('UPLOADS_');
      expect(objectStore()).toBeUndefined();
    }
    expect(addressOf('kept/a/b/c', 'signed', 0)).toBeNull();
  });

  test.each(NAMES)('are refused without %s, by its name and without a value', (missing) => {
    const { [missing as keyof typeof WHOLE]: _, ...rest } = WHOLE;
    set(rest);
    expect(problemsOf()).toContain(`${missing} is not set`);
    expect(problemsOf()).not.toMatch(/word|pictures/);
  });

  test.each(['nothing', 'ftp://a.example.com', 'https://a:b@example.com', 'https://a.example.com/?x=1'])(
    'are refused with the endpoint %s',
    (endpoint) => {
      set({ ...WHOLE, UPLOADS_ENDPOINT: endpoint });
      expect(problemsOf()).toContain('UPLOADS_ENDPOINT must be a URL');
    },
  );
});

describe('the address of an object', () => {
  const address = (values: Record<string, string>) => {
    set({ ...WHOLE, ...values });
    const store = objectStore();
    return store && objectUrl(store, 'kept/a/b/c').href;
  };

  test('has the bucket in the path, or in the host where the endpoint has it', () => {
    expect(address({})).toBe('https://account.r2.example.com/pictures/kept/a/b/c');
    expect(address({ UPLOADS_ENDPOINT: 'https://pictures.s3.example.com/' })).toBe(
      'https://pictures.s3.example.com/kept/a/b/c',
    );
  });

  test('in a public bucket is the public URL and the key', () => {
    set(WHOLE);
    const at = () => addressOf('kept/a/b/c', 'public', 0);
    expect(at()).toBe('https://account.r2.example.com/pictures/kept/a/b/c');
    set({ ...WHOLE, UPLOADS_PUBLIC_URL: 'https://img.example.com/x/' });
    expect(at()).toBe('https://img.example.com/x/kept/a/b/c');
  });

  test('in a private bucket is the same for five minutes, and valid for at least 15', () => {
    set(WHOLE);
    const at = (ms: number) => new URL(addressOf('kept/a/b/c', 'signed', ms) ?? '');
    const start = Date.parse('2030-01-01T00:00:00Z');
    expect(at(start + 299_999).href).toBe(at(start).href);
    expect(at(start + 300_000).href).not.toBe(at(start).href);
    const { searchParams } = at(start + 299_999);
    expect([searchParams.get('X-Amz-Date'), searchParams.get('X-Amz-Expires')]).toEqual(['20300101T000000Z', '1200']);
  });

  test('of no object is null', () => {
    set(WHOLE);
    expect([addressOf(null, 'public', 0), addressOf('', 'signed', 0), addressOf(undefined, 'signed', 0)]).toEqual([
      null,
      null,
      null,
    ]);
  });
});
