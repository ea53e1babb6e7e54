/** Faults that a test orders. Each fault applies to `times` calls or notifications (default 1). */
const apiCalls = ['prepay', 'query', 'close', 'refund', 'query-refund'] as const;
export type ApiCall = (typeof apiCalls)[number];

const apiFaults = [
  'system-error', // 500 SYSTEM_ERROR, nothing done
  'system-error-after', // the same, but the call took effect
  'bad-gateway', // 502 with HTML and no signature
  'rate-limit', // 429 RATELIMIT
  'user-paying', // 202 USERPAYING
  'not-enough', // 403 NOT_ENOUGH
  'refuse-refund', // refused with `code`, signed; nothing done
  'drop-before', // the connection breaks before the call took effect
  'drop-after', // the connection breaks after it
  'hang', // no answer; the call took effect
  'wrong-signature', // right answer, signature of another text
  'unsigned', // right answer, no signature
] as const;

const notificationFaults = [
  'lose', // not sent; the schedule continues
  'duplicate', // sent twice at the same moment
  'delay', // sent `delayMs` later
  'probe', // preceded by a copy with a deliberately wrong signature, as WeChat does to see whether it is refused
  'wrong-signature', // sent with the signature of another body
  'tampered', // one byte of the body changed after signing
  'stale', // signed an hour ago
  'unknown-serial', // names a key that no merchant has
] as const;

export type ApiFault = (typeof apiFaults)[number];
export type NotificationFault = (typeof notificationFaults)[number];

export type WechatPayFault =
  | { on: ApiCall | 'any'; kind: ApiFault; times?: number; code?: string }
  | { on: 'notification'; kind: NotificationFault; times?: number; delayMs?: number };

/** Checks faults that arrive over HTTP. null: the value is not a fault. */
export function readFault(value: Record<string, unknown>): WechatPayFault | null {
  const { on, kind, times, delayMs, code } = value;
  if (times !== undefined && !(Number.isSafeInteger(times) && (times as number) >= 1)) return null;
  if (delayMs !== undefined && !(Number.isSafeInteger(delayMs) && (delayMs as number) >= 0)) return null;
  if ((kind === 'refuse-refund') !== (typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code))) return null;
  const kinds: readonly unknown[] = on === 'notification' ? notificationFaults : apiFaults;
  const places: readonly unknown[] = ['notification', 'any', ...apiCalls];
  return places.includes(on) && kinds.includes(kind) ? (value as unknown as WechatPayFault) : null;
}

export class Faults {
  #pending: { fault: WechatPayFault; left: number }[] = [];

  add(fault: WechatPayFault): void {
    this.#pending.push({ fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#pending = [];
  }

  /** null: this call has no fault. */
  nextForCall(call: ApiCall): Extract<WechatPayFault, { code?: string }> | null {
    const fault = this.#use(({ on }) => on === call || on === 'any');
    return fault === null || fault.on === 'notification' ? null : fault;
  }

  /** null: this delivery has no fault. */
  nextForNotification(): Extract<WechatPayFault, { on: 'notification' }> | null {
    const fault = this.#use(({ on }) => on === 'notification');
    return fault?.on === 'notification' ? fault : null;
  }

  #use(fits: (fault: WechatPayFault) => boolean): WechatPayFault | null {
    const entry = this.#pending.find(({ fault }) => fits(fault));
    if (entry === undefined) return null;
    entry.left -= 1;
    if (entry.left === 0) this.#pending = this.#pending.filter((other) => other !== entry);
    return entry.fault;
  }
}
