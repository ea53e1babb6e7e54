import { randomBytes, timingSafeEqual } from 'node:crypto';
import { serverMac } from '../server-key.ts';

/**
 * The mark of a device: a login gives it, and later logins of the device send it as the header `device-mark`. 8 random
 * bytes and 8 bytes of MAC in 22 characters: an invented mark is recognised by computation, so a program cannot choose
 * one that others would guess. The mark itself opens nothing.
 */
const macOf = (random: Buffer): Buffer => serverMac('device-mark', random).subarray(0, 8);

export function mintDeviceMark(): string {
  const random = randomBytes(8);
  return Buffer.concat([random, macOf(random)]).toString('base64url');
}

/** undefined: there is no mark, or it was not issued here. */
export function parseDeviceMark(header: string | undefined): string | undefined {
  if (header === undefined || !/^[A-Za-z0-9_-]{22}$/.test(header)) return undefined;
  const bytes = Buffer.from(header, 'base64url');
  if (bytes.toString('base64url') !== header) return undefined;
  return timingSafeEqual(macOf(bytes.subarray(0, 8)), bytes.subarray(8)) ? header : undefined;
}
