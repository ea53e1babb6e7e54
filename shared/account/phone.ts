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

export function phoneOf({ number, masked }: PhoneNumber): Phone {
  const [subject = '', ...former] = masterMacs('phone', number).map((mac) => mac.toString('hex'));
  const row = (of: string): NewIdentity => ({ platform: 'phone', platformApp: '', subject: of });
  return {
    identity: { ...row(subject), sealed: seal(number, context(subject)), label: masked },
    aliases: former.map(row),
  };
}

/** Throws SealError. */
export const numberOf = ({ sealed = '', subject }: NewIdentity): string => unseal(sealed, context(subject));
