import { endFormerSecret, removeMiniProgram, setMiniProgram } from '../../shared/wechat/admin.ts';
import { type PushSecrets, WECHAT_APPID } from '../../shared/wechat/mini-program.ts';
import { showMiniProgram, showSecrets } from '../../shared/wechat/shown-program.ts';
import { flag, type Given, optional, type Printed, required, UsageError, type Verb } from '../command.ts';
import { jsonForm, textOfFile } from '../forms.ts';
import { translated } from '../language.ts';
import { fields } from '../table.ts';

/** `app wechat`: the mini-program of an app. */

interface Wanted {
  wechatAppid: string;
  secret: string | undefined;
  push: PushSecrets | undefined;
}

const ACTIONS = ['end-former', 'remove', 'show'] as const;

/** What the options ask for: settings, or one of the three actions. Throws UsageError for options that contradict. */
function asked(given: Given): Wanted | (typeof ACTIONS)[number] {
  const actions = ACTIONS.filter((action) => given.flag(action));
  const isSetting = ['wechat-appid', 'secret-file', 'push-file'].some((name) => given.optional(name) !== undefined);
  if (actions.length + (isSetting ? 1 : 0) !== 1) {
    throw new UsageError('give one of --wechat-appid, --end-former, --remove and --show');
  }
  const [action] = actions;
  if (action !== undefined) return action;
  const wechatAppid = wechatAppidForm('wechat-appid', given.text('wechat-appid'));
  const secretFile = given.optional('secret-file');
  const pushFile = given.optional('push-file');
  return {
    wechatAppid,
    secret: secretFile === undefined ? undefined : textOfFile('secret-file', secretFile).trim(),
    push: pushFile === undefined ? undefined : pushForm(pushFile),
  };
}

export function wechatAppidForm(option: string, text: string): string {
  if (WECHAT_APPID.test(text)) return text;
  throw new UsageError(
    `--${option} takes the AppID of the mini-program in WeChat's console, such as wx0123456789abcdef`,
  );
}

function pushForm(file: string): PushSecrets {
  const value = jsonForm('push-file', textOfFile('push-file', file));
  const { token, encodingAesKey, ...others } = Object(value) as Record<string, unknown>;
  if (typeof token === 'string' && typeof encodingAesKey === 'string' && Object.keys(others).length === 0) {
    return { token, encodingAesKey };
  }
  throw new UsageError('--push-file takes a file with the JSON object {"token":"...","encodingAesKey":"..."}');
}

async function run(given: Given): Promise<Printed> {
  const appId = given.text('app');
  const wanted = asked(given);
  if (wanted === 'end-former') {
    const wechatAppid = await endFormerSecret(appId, given.actor);
    return { json: { appId, wechatAppid }, text: [`The former secret of mini-program ${wechatAppid} is deleted.`] };
  }
  if (wanted === 'remove') {
    const wechatAppid = await removeMiniProgram(appId, given.actor);
    return { json: { appId, removed: wechatAppid }, text: [`App ${appId} has no mini-program of its own any more.`] };
  }
  if (wanted !== 'show') await setMiniProgram(appId, wanted, given.actor);
  return shown(given, appId);
}

async function shown(given: Given, appId: string): Promise<Printed> {
  const found = await showMiniProgram(appId);
  const text = fields({
    AppID: appId,
    'mini-program': found.wechatAppid ?? translated('none'),
    ...(found.isDefault && { 'named by': translated('WECHAT_APPID, the default') }),
    secret: translated(found.secret),
    'former secret': translated(found.hasFormerSecret ? 'kept until --end-former' : 'none'),
    'message push': translated(found.hasPush ? 'set' : 'none'),
    changed: given.display.time(found.changedAt),
    'other apps': found.otherApps.join(', ') || translated('none'),
  });
  return { json: { ...found }, text };
}

async function whatEnds(given: Given): Promise<string[]> {
  const wanted = asked(given);
  if (wanted === 'show') return [];
  const now = await showMiniProgram(given.text('app'));
  if (wanted === 'end-former') {
    if (now.isDefault || !now.hasFormerSecret) return [];
    return [
      `The former secret of mini-program ${now.wechatAppid} will be deleted: only the new one is used from then on.`,
    ];
  }
  if (wanted === 'remove') return now.isDefault ? [] : whatLeaves(now, translated('WECHAT_APPID, the default'));
  const moves = now.wechatAppid !== null && now.wechatAppid !== wanted.wechatAppid;
  return [...(moves ? whatLeaves(now, wanted.wechatAppid) : []), ...(await whatIsReplaced(wanted))];
}

type Shown = Awaited<ReturnType<typeof showMiniProgram>>;

function whatLeaves({ appId, name, wechatAppid, isDefault, otherApps, secret }: Shown, next: string): string[] {
  const lines = [
    `App ${appId} (${name}): its mini-program ${wechatAppid} will be ${next}. Its users keep their identities, but their openids of ${wechatAppid} are unknown there.`,
  ];
  if (isDefault || otherApps.length > 0 || secret !== 'stored') return lines;
  return [...lines, `No other app has mini-program ${wechatAppid}: its secrets here will be deleted.`];
}

async function whatIsReplaced({ wechatAppid, secret, push }: Wanted): Promise<string[]> {
  const { hasFormerSecret, hasPush } = await showSecrets(wechatAppid);
  return [
    ...(secret !== undefined && hasFormerSecret
      ? [`Mini-program ${wechatAppid} has a former secret beside its secret: a new one will end it.`]
      : []),
    ...(push && hasPush
      ? [
          `The message push of mini-program ${wechatAppid} is set: messages that are signed with the former settings will be refused.`,
        ]
      : []),
  ];
}

export const wechatVerb: Verb = {
  about: 'Sets, shows or removes the mini-program of an app.',
  options: {
    app: required('ID', 'the AppID'),
    'wechat-appid': optional('WX', "the AppID of the mini-program in WeChat's console; several apps may have the same"),
    'secret-file': optional('FILE', 'a file with its AppSecret; the one before is kept until --end-former'),
    'push-file': optional('FILE', 'its message push as JSON: token and encodingAesKey'),
    'end-former': flag('deletes the former secret'),
    remove: flag('gives the app the mini-program of WECHAT_APPID again'),
    show: flag('shows what is set, never a secret'),
  },
  destructive: whatEnds,
  run,
};
