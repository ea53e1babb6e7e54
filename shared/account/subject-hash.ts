import { serverMac } from '../server-key.ts';

/** For the operator log: tells whether two entries are about the same openid, number or name, and not what it is. */
export const subjectHash = (platform: string, platformApp: string, subject: string): string =>
  serverMac('identity-subject', platform, platformApp, subject).toString('hex').slice(0, 32);
