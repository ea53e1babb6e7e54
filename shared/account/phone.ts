import { masterMacs, seal, unseal } from '../master-key.ts';
import type { PhoneNumber } from '../wechat/phone-number.ts';
import type { NewIdentity } from './identity.ts';

/**
 * Phone numbers are personal data: a row has the number sealed, a keyed hash of it to find it by, and the masked form
 * that is shown. The hash changes with the master key, so a number is looked up under all keys.
 */
export interface Phone {
  identity: NewIdentity;
  /** The same number under former master keys. */
  aliases: NewIdentity[];
}

const context = (subject: string): string => `phone:${subject}`;

/** Under which a number may be stored: by the current master key first, then by former ones. `number`: E.164. */
export const phoneSubjects = (number: string): NewIdentity[] =>
  masterMacs('phone', number).map((mac) => ({ platform: 'phone', platformApp: '', subject: mac.toString('hex') }));

export function phoneOf({ number, masked }: PhoneNumber): Phone {
  const [current, ...aliases] = phoneSubjects(number) as [NewIdentity, ...NewIdentity[]];
  const sealed = seal(number, context(current.subject));
  return { identity: { ...current, sealed, label: masked }, aliases };
}

/** Throws SealError. */
export const numberOf = ({ sealed = '', subject }: NewIdentity): string => unseal(sealed, context(subject));
