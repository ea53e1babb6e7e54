import { createHash } from 'node:crypto';

/**
 * Numbers are derived, not random. The same (app, user, key) always gives the same number, so the primary key of the
 * table makes a repeated call happen once. A number has 32 characters of `[A-Z2-7]`, which every provider accepts: one
 * letter for the kind, 16 (80 bits) for the wallet, and 15 (75 bits) for the operation in the wallet.
 */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function base32(parts: readonly string[], length: number): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  let [text, bits, held] = ['', 0, 0];
  for (const byte of hash.digest()) {
    bits = ((bits << 8) | byte) & 0xfff;
    for (held += 8; held >= 5; held -= 5) text += ALPHABET[(bits >> (held - 5)) & 31];
  }
  return text.slice(0, length);
}

/** Identifies the wallet of a user at an app and does not show the user id. */
export const walletName = (appId: string, userId: string): string => base32(['wallet', appId, userId], 16);

/** The wallet of an order, a spend or a refund. It is part of the number, so no engine is asked. */
export const walletOf = (number: string): string => number.slice(1, 17);

export const orderNumber = (appId: string, userId: string, idempotencyKey: string): string =>
  `R${walletName(appId, userId)}${base32(['order', appId, userId, idempotencyKey], 15)}`;

export const spendNumber = (appId: string, userId: string, idempotencyKey: string): string =>
  `S${walletName(appId, userId)}${base32(['spend', appId, userId, idempotencyKey], 15)}`;

/** A server and the user's own client never share a key. */
export const serverSpendNumber = (appId: string, userId: string, idempotencyKey: string): string =>
  `W${walletName(appId, userId)}${base32(['server-spend', appId, userId, idempotencyKey], 15)}`;

export const grantNumber = (appId: string, userId: string, idempotencyKey: string): string =>
  `G${walletName(appId, userId)}${base32(['grant', appId, userId, idempotencyKey], 15)}`;

export const holdNumber = (appId: string, userId: string, idempotencyKey: string): string =>
  `H${walletName(appId, userId)}${base32(['hold', appId, userId, idempotencyKey], 15)}`;

export const forfeitNumber = (appId: string, userId: string): string =>
  `A${walletName(appId, userId)}${base32(['forfeit', appId, userId], 15)}`;

/** A user is merged once. `part`: a lot, or the asset of the units without an end. */
export const mergeNumber = (appId: string, from: string, part: string): string =>
  `M${walletName(appId, from)}${base32(['merge', appId, from, part], 15)}`;

export const refundNumber = (orderNo: string, key: string): string =>
  `F${walletOf(orderNo)}${base32(['refund', orderNo, key], 15)}`;

/** Of a refund that was made at the provider, by the provider's number of it. */
export const madeRefundNumber = (orderNo: string, refundId: string): string =>
  refundNumber(orderNo, `made:${refundId}`);

export const adjustNumber = (appId: string, userId: string, key: string): string =>
  `A${walletName(appId, userId)}${base32(['adjust', appId, userId, key], 15)}`;

/** `repetition`: how many equal requests were decided before. */
export const moneyRequestNumber = (kind: string, subject: string, detail: string, repetition: number): string =>
  `Q${base32(['money-request', kind, subject, detail, String(repetition)], 31)}`;

export const requestHash = (body: Readonly<Record<string, unknown>>): string =>
  createHash('sha256').update(JSON.stringify(body)).digest('hex');
