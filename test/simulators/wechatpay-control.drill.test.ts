import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createWechatPay } from '../../shared/recharge/wechatpay/client.ts';
import type { WechatPayConfig } from '../../shared/recharge/wechatpay/input.ts';
import { decryptResource } from '../../shared/recharge/wechatpay/notification.ts';
import { authorization, readMerchantKey } from '../../shared/recharge/wechatpay/signature.ts';
import { overSocket, startReceiver } from '../support/wechatpay-receiver.ts';

const folder = mkdtempSync(join(tmpdir(), 'mock-wechatpay-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(...options: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'local/simulators/wechatpay/main.ts', ...options]);
  let output = '';
  const ready = new Promise<string>((resolve, reject) => {
    child.once('close', () => reject(new Error('ended before it was ready')));
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const [, url] = /ready (\S+)/.exec(output) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
  ready.catch(() => undefined);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { ready, ended, output: () => output, end: () => child.kill('SIGTERM') };
}

async function control(url: string, path: string, input: object, type = 'application/json'): Promise<number> {
  const answer = await fetch(`${url}/_mock/${path}`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: JSON.stringify(input),
  });
  await answer.arrayBuffer();
  return answer.status;
}

async function read<T>(url: string, headers: Record<string, string> = {}): Promise<T> {
  return (await (await fetch(url, { headers })).json()) as T;
}

it('the command has a help text, and refuses unknown options and values', async () => {
  const help = run('--help');
  expect(await help.ended).toBe(0);
  expect(help.output()).toContain('npm run mock:wechatpay');
  expect(await run('--keys', 'none').ended).toBe(2);
  expect(await run('--nonsense').ended).toBe(2);
});

it('an order is paid and refunded over the control API of a running command, as on its page', async () => {
  const receiver = await startReceiver(() => [204, '']);
  const identity = join(folder, 'identity.json');
  const command = run('--identity', identity, '--manual', '--notify-url', receiver.url, '--refund-after', 'never');
  try {
    const url = await command.ready;
    expect(statSync(identity).mode & 0o077).toBe(0);
    const config = await read<WechatPayConfig>(`${url}/_mock/config`);
    const { now } = await read<{ now: number }>(`${url}/_mock/state`);
    const pay = createWechatPay(config, overSocket());
    const expiresAtSeconds = now + 600;
    await pay.prepay({
      outTradeNo: 'order|0001',
      amountFen: 1,
      openid: 'o',
      description: '<b>coins</b>',
      expiresAtSeconds,
    });

    const page = await (await fetch(url)).text();
    expect(page).toContain('Pay');
    expect(page).not.toContain('innerHTML');
    expect(await control(url, 'pay', { outTradeNo: 'order|0001' }, 'text/plain')).toBe(415);
    expect(await control(url, 'pay', { outTradeNo: 'order-none' })).toBe(409);
    expect(await control(url, 'fault', { on: 'notification', kind: 'hang' })).toBe(404);
    expect(await control(url, 'fault', { on: 'notification', kind: 'duplicate', times: 1 })).toBe(200);
    expect(await control(url, 'pay', { outTradeNo: 'order|0001' })).toBe(200);
    expect(receiver.received).toHaveLength(2);
    await pay.refund({ outTradeNo: 'order|0001', outRefundNo: 'r1', refundFen: 1, totalFen: 1 });
    expect(await control(url, 'refund-result', { outRefundNo: 'r1', status: 'ABNORMAL' })).toBe(200);
    expect(await control(url, 'refund-result', { outRefundNo: 'r1', status: 'SUCCESS' })).toBe(200);
    expect(await control(url, 'refund-result', { outRefundNo: 'r1', status: 'CLOSED' })).toBe(409);
    expect(await control(url, 'advance', { milliseconds: 1000 })).toBe(200);
    const { requests } = await read<{ requests: { status: number }[] }>(`${url}/_mock/requests`);
    expect(requests.map(({ status }) => status)).toEqual([200, 200]);
    expect((await pay.queryRefund('r1')).status).toBe('SUCCESS');
  } finally {
    command.end();
    await receiver.stop();
  }
  expect(await command.ended).toBe(0);
});

it('the same identity file gives the same keys, and the certificate can be downloaded as from WeChat Pay', async () => {
  const command = run('--identity', join(folder, 'identity.json'), '--keys', 'certificate');
  try {
    const url = await command.ready;
    const config = await read<WechatPayConfig>(`${url}/_mock/config`);
    const [platformKey] = config.platformKeys;
    const { mchId, merchantSerial: serial, apiV3Key } = config;
    const target = '/v3/certificates';
    const timestamp = Math.floor(Date.now() / 1000);
    const signed = { mchId, serial, method: 'GET', target, body: '', timestamp, nonce: 'abc' };
    const headers = { authorization: authorization(signed, readMerchantKey(config.merchantPrivateKeyPem)) };
    const { data } = await read<{ data: Record<string, unknown>[] }>(url + target, headers);
    expect(data[0]?.serial_no).toBe(platformKey?.id);
    expect(decryptResource(data[0]?.encrypt_certificate, apiV3Key)?.toString()).toBe(platformKey?.pem);
    expect((await fetch(url + target)).status).toBe(401);
    expect((await fetch(`${url}/v3/elsewhere`, { headers })).status).toBe(404);
  } finally {
    command.end();
  }
  expect(await command.ended).toBe(0);
});
