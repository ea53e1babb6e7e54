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
/** A caller that never sends its mark gets a new one with each login, and each of them is kept for months. */
const NEW_MARKS_PER_DAY = 50;

/**
 * The subject of all WeChat logins together: who a code belongs to is not known before WeChat answers. Its marks are
 * not limited, because each of them has cost a code that WeChat accepted.
 */
export const WECHAT_CALLERS = '*wechat*';

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
/** How many devices, and how many addresses, an account got to know in a day. */
const newMarks = keyFamily<[string, 'device' | 'address']>({
  area: 'lock',
  name: 'new-marks',
  version: 1,
  parts: ['text', 'id'],
  ttlSeconds: DAY,
});
const dailyLimit = (account: string, kind: 'device' | 'address'): Pick<CallerMark, 'limit'> =>
  account === WECHAT_CALLERS
    ? {}
    : { limit: { counter: newMarks(account, kind), most: NEW_MARKS_PER_DAY, seconds: DAY } };

/** For `sparedBy`: the device is known. */
export const ifKnownDevice = ({ account = '', device }: Identities): Key | undefined =>
  device === undefined ? undefined : knownDevice(account, device);

/** For `sparedBy`: the device is known, or for a caller without a mark its address. */
export const ifKnownCaller = (identities: Identities): Key | undefined =>
  ifKnownDevice(identities) ?? knownAddress(identities.account ?? '', identities.ip ?? '');

/**
 * What to record after a login. A device that sent its mark is known by it alone. `ip` undefined: the address of the
 * caller is not recorded. `issued`: the mark that the answer gives to the device. An account has at most
 * NEW_MARKS_PER_DAY new devices and as many new addresses in a day; further ones stay unknown.
 */
export const marksOfCaller = (
  account: string,
  { ip, device, issued }: { ip: string | undefined; device: string | undefined; issued: string },
): CallerMark[] => [
  { key: knownDevice(account, issued), seconds: KNOWN_DEVICE_SECONDS, ...dailyLimit(account, 'device') },
  ...(device === undefined && ip !== undefined
    ? [{ key: knownAddress(account, ip), seconds: KNOWN_ADDRESS_SECONDS, ...dailyLimit(account, 'address') }]
    : []),
];
