import { type Key, keyFamily } from '../keys.ts';
import type { CallerMark } from './give-back.ts';
import type { Identities } from './rule.ts';

/**
 * Callers who logged in to an account before. Failures of others, and many callers behind one address, do not lock them
 * out. A device is known by its mark; a caller that sends no mark, by its address.
 */
const DAY = 86_400;
const KNOWN_ADDRESS_SECONDS = 30 * DAY;
/** Longer than a session may last, so that the next login of the device is still known. */
const KNOWN_DEVICE_SECONDS = 60 * DAY;

const knownAddress = keyFamily<[string, string]>({
  area: 'lock',
  name: 'known',
  version: 1,
  parts: ['text', 'text'],
  ttlSeconds: KNOWN_ADDRESS_SECONDS,
});
const knownDevice = keyFamily<[string, string]>({
  area: 'lock',
  name: 'device',
  version: 1,
  parts: ['text', 'text'],
  ttlSeconds: KNOWN_DEVICE_SECONDS,
});

/** For `sparedBy`: the device is known. */
export const ifKnownDevice = ({ account = '', device }: Identities): Key | undefined =>
  device === undefined ? undefined : knownDevice(account, device);

/** For `sparedBy`: the device is known, or for a caller without a mark its address. */
export const ifKnownCaller = (identities: Identities): Key | undefined =>
  ifKnownDevice(identities) ?? knownAddress(identities.account ?? '', identities.ip ?? '');

/**
 * What to record after a login. A device that sent its mark is known by it alone. `ip` undefined: the address of the
 * caller is not recorded. `issued`: the mark that the answer gives to the device.
 */
export const marksOfCaller = (
  account: string,
  { ip, device, issued }: { ip: string | undefined; device: string | undefined; issued: string },
): CallerMark[] => [
  { key: knownDevice(account, issued), seconds: KNOWN_DEVICE_SECONDS },
  ...(device === undefined && ip !== undefined
    ? [{ key: knownAddress(account, ip), seconds: KNOWN_ADDRESS_SECONDS }]
    : []),
];
