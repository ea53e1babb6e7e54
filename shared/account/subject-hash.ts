import { serverMac } from '../server-key.ts';

/** For the operator log: shows whether two entries are about the same openid, number or name, but not which one. */
export const subjectHash = (platform: string, platformApp: string, subject: string): string =>
  serverMac('identity-subject', platform, platformApp, subject).toString('hex').slice(0, 32);
