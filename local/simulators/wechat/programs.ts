import { createHash } from 'node:crypto';
import { WechatRefusal } from './answers.ts';

export interface WechatProgram {
  appid: string;
  secret: string;
  /** Accepted too, while a secret is exchanged. */
  formerSecret?: string;
  /** Whether the mini-program is bound to the open-platform account. Default: the option of the simulator. */
  unionid?: boolean;
}

export interface Programs {
  /** The AppID of a call that names none. */
  readonly first: string;
  /** A known AppID gets these secrets and no others, as after a new secret in WeChat's console. */
  add(program: WechatProgram): void;
  appids(): string[];
  isBound(appid: string): boolean;
  /** Throws WechatRefusal 41002, 41004, 40013 or 40125. */
  prove(appid: unknown, secret: unknown): string;
}

export function createPrograms(first: WechatProgram, others: readonly WechatProgram[], bound: boolean): Programs {
  const programs = new Map<string, WechatProgram>();
  for (const program of [first, ...others]) programs.set(program.appid, program);
  return {
    first: first.appid,
    add: (program) => void programs.set(program.appid, program),
    appids: () => [...programs.keys()],
    isBound: (appid) => programs.get(appid)?.unionid ?? bound,
    prove(appid, secret) {
      if (typeof appid !== 'string' || appid === '') throw new WechatRefusal(41002);
      if (typeof secret !== 'string' || secret === '') throw new WechatRefusal(41004);
      const program = programs.get(appid);
      if (!program) throw new WechatRefusal(40013);
      if (secret !== program.secret && secret !== program.formerSecret) throw new WechatRefusal(40125);
      return appid;
    },
  };
}

/**
 * 28 characters that begin with "o", as an openid and a unionid have. The same mini-program and person always get the
 * same openid, also after a restart.
 */
export const openidOf = (appid: string, person: string): string =>
  `o${createHash('sha256').update(`${appid}\n${person}`).digest('base64url').slice(0, 27)}`;

/** The same person has one unionid in all mini-programs that are bound to one open-platform account. */
export const unionidOf = (person: string): string => openidOf('unionid', person);
