import { AppError } from '../../shared/errors.ts';
import { renewToken } from '../../shared/wechat/access-token.ts';
import { findMiniProgram, type MiniProgram } from '../../shared/wechat/mini-program.ts';
import { readTokenStatus } from '../../shared/wechat/token-status.ts';
import { flag, type Given, type Noun, type Printed, required } from '../command.ts';
import { translated } from '../language.ts';
import { fields } from '../table.ts';
import { wechatAppidForm } from './app-wechat.ts';

async function programOf(given: Given): Promise<MiniProgram> {
  const wechatAppid = wechatAppidForm('wechat-appid', given.text('wechat-appid'));
  const program = await findMiniProgram(wechatAppid);
  if (program) return program;
  throw new AppError('NOT_FOUND', `Mini-program ${wechatAppid} has no secret here: set it with "app wechat".`);
}

async function token(given: Given): Promise<Printed> {
  const program = await programOf(given);
  const { wechatAppid } = program;
  if (given.flag('refresh') && !(await renewToken(program))) {
    throw new AppError(
      'UNAVAILABLE',
      'The token cannot be replaced now: that is possible once in 30 s, and 20 times a day (Shanghai time).',
    );
  }
  const status = await readTokenStatus(wechatAppid);
  const text = fields({
    'mini-program': wechatAppid,
    ends: status.endsAt === null ? translated('none') : given.display.time(status.endsAt),
    'age in seconds': status.ageSeconds === null ? '' : String(status.ageSeconds),
    'refreshes today': String(status.refreshesToday),
    'forced today': String(status.forcedToday),
  });
  return { json: { wechatAppid, ...status }, text };
}

async function whatRefreshEnds(given: Given): Promise<string[]> {
  if (!given.flag('refresh')) return [];
  const { wechatAppid } = await programOf(given);
  return [
    `The access_token of mini-program ${wechatAppid} will be replaced: your servers that have it must ask for it again.`,
  ];
}

export const wechat: Noun = {
  about: "the access_tokens that WeChat's server gave",
  verbs: {
    token: {
      about: 'Shows the age and the end of an access_token, never the token itself, or replaces it.',
      options: {
        'wechat-appid': required('WX', "the AppID of the mini-program in WeChat's console"),
        refresh: flag('replaces it, for a token that has leaked'),
      },
      destructive: whatRefreshEnds,
      run: token,
    },
  },
};
