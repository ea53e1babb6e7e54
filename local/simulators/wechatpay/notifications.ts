import { randomUUID } from 'node:crypto';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { MockClock } from './clock.ts';
import type { Faults, NotificationFault } from './fault.ts';
import type { KeyKind, PlatformSigner } from './identity.ts';

/** Waits between deliveries in seconds, from WeChat's documents: 24 h 4 min in all, then it stops. */
const retrySchedule = [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600];

interface Attempt {
  readonly atMs: number;
  readonly signedWith: KeyKind;
  /** The fault that was applied. null: none. */
  readonly flaw: NotificationFault | null;
  /** null: no answer in time, no connection, or a fault `lose`. */
  readonly status: number | null;
}

export interface NotificationRecord {
  readonly id: string;
  readonly event: string;
  readonly url: string;
  readonly resource: object;
  readonly attempts: Attempt[];
  /** Number of failed deliveries. It is the position in the schedule. */
  failures: number;
  /**
   * stopped: the receiver answered 200 with `{"code":"FAIL"}`, which WeChat takes as final. exhausted: the schedule
   * ended. held: waits for `release`.
   */
  state: 'waiting' | 'held' | 'delivered' | 'stopped' | 'exhausted';
  /** null: no delivery is planned. */
  nextAtMs: number | null;
  /** Deliveries with a wrong signature that the receiver answered with 2xx: each is a fault of the receiver. */
  flawsAccepted: number;
}

interface NotificationOptions {
  readonly clock: MockClock;
  readonly faults: Faults;
  readonly signer: PlatformSigner;
  readonly nextKey: () => KeyKind;
  readonly nextProbe: () => boolean;
  readonly timeoutMs: number;
}

type DeliveryResult = 'delivered' | 'stopped' | 'failed';

/** Delivers notifications as WeChat does: several times or never, in any order, sometimes with a probe. */
export class MockNotifications {
  readonly #records: NotificationRecord[] = [];
  readonly #options: NotificationOptions;
  #holding = false;

  constructor(options: NotificationOptions) {
    this.#options = options;
  }

  list(): NotificationRecord[] {
    return structuredClone(this.#records);
  }

  hold(): void {
    this.#holding = true;
  }

  async release(order: 'same' | 'reverse'): Promise<void> {
    this.#holding = false;
    const held = this.#records.filter(({ state }) => state === 'held');
    for (const record of order === 'same' ? held : held.reverse()) {
      record.state = 'waiting';
      await this.#deliver(record);
    }
  }

  /** Resolves when the first delivery has ended, also if it failed. */
  async send(event: string, url: string, resource: object): Promise<void> {
    const state = this.#holding ? 'held' : 'waiting';
    const id = randomUUID();
    const record: NotificationRecord = {
      id,
      event,
      url,
      resource,
      attempts: [],
      failures: 0,
      state,
      nextAtMs: null,
      flawsAccepted: 0,
    };
    this.#records.push(record);
    if (state === 'waiting') await this.#deliver(record);
  }

  /** Sends it again, also after a success, as WeChat does. */
  async resend(id: string): Promise<boolean> {
    const record = this.#records.find((one) => one.id === id);
    if (record === undefined) return false;
    const outcome = await this.#attempt(record, null);
    if (outcome === 'failed') return true;
    record.state = outcome;
    record.nextAtMs = null;
    return true;
  }

  async #deliver(record: NotificationRecord): Promise<void> {
    if (record.state !== 'waiting') return;
    const fault = this.#options.faults.nextForNotification();
    if (fault?.kind === 'delay') {
      const delayMs = fault.delayMs ?? 5000;
      record.nextAtMs = this.#options.clock.now() + delayMs;
      this.#options.clock.after(delayMs, () => this.#conclude(record, null));
      return;
    }
    if (fault?.kind === 'probe' || (fault === null && this.#options.nextProbe())) await this.#attempt(record, 'probe');
    await this.#conclude(record, fault?.kind === 'probe' ? null : (fault?.kind ?? null));
  }

  async #conclude(record: NotificationRecord, flaw: NotificationFault | null): Promise<void> {
    if (record.state !== 'waiting') return;
    record.nextAtMs = null;
    const sent = [this.#attempt(record, flaw), ...(flaw === 'duplicate' ? [this.#attempt(record, flaw)] : [])];
    const outcomes = await Promise.all(sent);
    if (outcomes.includes('delivered')) record.state = 'delivered';
    else if (outcomes.includes('stopped')) record.state = 'stopped';
    else this.#planNext(record);
  }

  #planNext(record: NotificationRecord): void {
    const waitSeconds = retrySchedule[record.failures];
    record.failures += 1;
    if (waitSeconds === undefined) {
      record.state = 'exhausted';
      return;
    }
    record.nextAtMs = this.#options.clock.now() + waitSeconds * 1000;
    this.#options.clock.after(waitSeconds * 1000, () => this.#deliver(record));
  }

  async #attempt(record: NotificationRecord, flaw: NotificationFault | null): Promise<DeliveryResult> {
    const { clock, timeoutMs } = this.#options;
    const signedWith = this.#options.nextKey();
    const atMs = clock.now();
    const message = this.#message(record, signedWith, flaw);
    const answer = flaw === 'lose' ? null : await post(record.url, message.headers, message.body, timeoutMs);
    record.attempts.push({ atMs, signedWith, flaw, status: answer?.status ?? null });
    const accepted = answer !== null && (answer.status === 200 || answer.status === 204);
    const wrong = flaw !== null && flaw !== 'duplicate' && flaw !== 'lose';
    if (wrong && accepted) record.flawsAccepted += 1;
    if (wrong || !accepted) return 'failed';
    return answer.status === 200 && saysFail(answer.body) ? 'stopped' : 'delivered';
  }

  /** Encrypts and signs again for every attempt. The id stays the same. */
  #message(record: NotificationRecord, signedWith: KeyKind, flaw: NotificationFault | null) {
    const { clock, signer } = this.#options;
    const type = record.event.startsWith('REFUND') ? 'refund' : 'transaction';
    const body = JSON.stringify({
      id: record.id,
      create_time: new Date(clock.now()).toISOString().replace(/\.\d+Z$/, '+00:00'),
      resource_type: 'encrypt-resource',
      event_type: record.event,
      summary: record.event,
      resource: { original_type: type, ...signer.seal(JSON.stringify(record.resource), type) },
    });
    const signedAt = flaw === 'stale' ? clock.now() - 3_600_000 : clock.now();
    const headers = signer.sign(flaw === 'wrong-signature' ? `${body} ` : body, signedWith, signedAt);
    if (flaw === 'probe') headers['Wechatpay-Signature'] = `WECHATPAY/SIGNTEST/${headers['Wechatpay-Signature']}`;
    if (flaw === 'unknown-serial') headers['Wechatpay-Serial'] = 'PUB_KEY_ID_0000000000000000';
    return { headers, body: flaw === 'tampered' ? body.replace('encrypt-resource', 'encrypt-resourcf') : body };
  }
}

function saysFail(body: string): boolean {
  try {
    return (JSON.parse(body) as { code?: unknown } | null)?.code === 'FAIL';
  } catch {
    return false;
  }
}

function post(url: string, headers: Record<string, string>, body: string, timeoutMs: number) {
  return new Promise<{ status: number; body: string } | null>((resolve) => {
    const send = url.startsWith('https:') ? requestHttps : requestHttp;
    const signal = AbortSignal.timeout(timeoutMs);
    const length = Buffer.byteLength(body);
    const all = {
      ...headers,
      'content-type': 'application/json',
      'content-length': length,
      'user-agent': 'mock-wechatpay',
    };
    const outgoing = send(url, { method: 'POST', headers: all, agent: false, signal }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }));
      answer.on('error', () => resolve(null));
    });
    outgoing.on('error', () => resolve(null));
    outgoing.end(body);
  });
}
