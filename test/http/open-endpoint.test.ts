import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { openEndpoint } from '../../shared/http/open-endpoint.ts';

/** Routes whose callers prove themselves by a signature of their own, such as the notifications of a provider. */
process.env.LOG = 'off';
process.env.MASTER_KEY = '00'.repeat(32);

let routes = 0;
function notifications() {
  let looked = 0;
  const { answer } = openEndpoint({ route: `POST /notify-${++routes}`, path: v.object({}) }, async ({ rawBody }) => {
    looked++;
    if (rawBody.toString() === 'forged') throw new AppError('BAD_NOTIFY_SIGNATURE');
    if (rawBody.toString() === 'unknown') throw new AppError('NOT_FOUND');
    if (rawBody.toString() === 'failed') throw new AppError('UNAVAILABLE');
    return undefined;
  });
  async function send(body: string, ip = '192.0.2.1'): Promise<string> {
    const event = { headers: {}, body, requestContext: { http: { sourceIp: ip } } };
    try {
      await answer(event as unknown as APIGatewayProxyEventV2, {} as Context, 'id');
      return 'done';
    } catch (error) {
      return error instanceof AppError ? error.code : 'INTERNAL';
    }
  }
  const many = async (count: number, body: string, ip?: string): Promise<Set<string>> => {
    const all = new Set<string>();
    for (let i = 0; i < count; i++) all.add(await send(body, ip));
    return all;
  };
  return { send, many, looked: () => looked };
}

test('forged calls are refused without a look after 600 in a minute, from their address only', async () => {
  const { send, many, looked } = notifications();
  expect(await many(600, 'forged')).toEqual(new Set(['BAD_NOTIFY_SIGNATURE']));
  expect(await many(50, 'forged')).toEqual(new Set(['LOCKED']));
  expect(await send('good')).toBe('LOCKED');
  expect(looked()).toBe(600);
  expect(await send('good', '192.0.2.2')).toBe('done');
});

test('one address means one /64 of IPv6', async () => {
  const { send, many } = notifications();
  for (let i = 0; i < 6; i++) await many(100, 'forged', `2001:db8:1:2::${i}`);
  expect(await send('good', '2001:db8:1:2:9::9')).toBe('LOCKED');
  expect(await send('good', '2001:db8:1:3::1')).toBe('done');
});

test.each(['good', 'unknown', 'failed'])(
  '5 000 calls that are %s are not counted, also beside forged ones',
  async (body) => {
    const { many } = notifications();
    await many(599, 'forged');
    expect(await many(5_000, body)).not.toContain('LOCKED');
  },
);
