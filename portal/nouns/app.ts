import { SIGNATURE_METHODS } from '../../shared/app/access-token.ts';
import {
  createApp,
  disableApp,
  enableApp,
  listApps,
  NEW_METHODS,
  NEW_SCOPES,
  setUserFields,
  showApp,
} from '../../shared/app/admin.ts';
import { SCOPES, type Scope } from '../../shared/app/app.ts';
import { revokeKey, rotateKey } from '../../shared/app/keys.ts';
import { kindOf, openingsOf } from '../../shared/app/public-app.ts';
import { changeScopes } from '../../shared/app/scopes.ts';
import { merchantsOfApp } from '../../shared/recharge/merchant-list.ts';
import { flag, type Given, type Noun, optional, type Printed, required, UsageError } from '../command.ts';
import { idForm, jsonForm, nameForm, textOfFile } from '../forms.ts';
import { translated } from '../language.ts';
import { fields, table } from '../table.ts';
import { merchantVerb, sayMerchant } from './app-merchant.ts';
import { CREATE_OPTIONS, createPublic, kindText, publicVerb } from './app-public.ts';
import { CLIENT_SPEND_OPTION, clientSpendForm, clientSpendVerb } from './app-spend.ts';
import { wechatVerb } from './app-wechat.ts';

const APP = required('ID', 'the AppID');

async function create(given: Given): Promise<Printed> {
  if (given.flag('public')) return createPublic(given);
  if (given.optional('open') !== undefined) throw new UsageError('--open goes with --public');
  const methods = given.optional('methods') === undefined ? NEW_METHODS : given.list('methods', SIGNATURE_METHODS);
  const scopes = given.optional('scopes') === undefined ? NEW_SCOPES : given.list('scopes', SCOPES);
  const plugins = given.optional('plugins')?.split(',');
  const clientSpend = clientSpendForm(given);
  const issued = await createApp(
    {
      name: nameForm('name', given.text('name')),
      methods,
      scopes,
      plugins: plugins?.map((id) => idForm('plugins', id)) ?? null,
      validates: null,
      ...(clientSpend !== undefined && { clientSpend }),
      actsFor: given.optional('for') ?? null,
    },
    given.actor,
  );
  const text = [
    ...fields({ AppID: issued.appId, privateKey: issued.privateKey }),
    'The privateKey is shown only once. Keep it where only the caller can read it.',
    ...(methods.includes('MD5') ? ['MD5 is weak: change this app to HMAC-SHA256 soon.'] : []),
  ];
  return { json: { ...issued }, text };
}

async function list(): Promise<Printed> {
  const apps = await listApps();
  const rows = apps.map(({ appId, name, methods, scopes, disabled }) => [
    appId,
    name,
    methods.join(','),
    scopes.join(','),
    disabled ? translated('disabled') : '',
  ]);
  return { json: { apps }, text: table(['AppID', 'name', 'methods', 'scopes', ''], rows) };
}

async function show(given: Given): Promise<Printed> {
  const { display } = given;
  const app = await showApp(given.text('app'));
  const kind = kindOf(app.methods);
  const merchants = await merchantsOfApp(app.appId);
  const text = [
    ...fields({
      AppID: app.appId,
      name: app.name,
      state: translated(app.disabled ? 'disabled' : 'enabled'),
      kind: kindText(kind),
      methods: app.methods.join(', '),
      scopes: app.scopes.join(', '),
      plugins: app.plugins === null ? translated('all') : app.plugins.join(', ') || translated('none'),
      'client spends': app.clientSpend,
      ...(app.actsFor !== null && { 'acts for': app.actsFor }),
      ...(app.validates !== null && { validates: app.validates }),
      created: display.time(app.createdAt),
      'user fields': app.userFields === null ? translated('none') : JSON.stringify(app.userFields),
      merchants: merchants.map(sayMerchant).join(', ') || translated('none'),
    }),
    '',
    ...table(
      ['key', 'state', 'created', 'ends'],
      app.keys.map(({ keyId, state, createdAt, endsAt }) => [
        keyId,
        translated(state),
        display.time(createdAt),
        display.time(endsAt),
      ]),
    ),
  ];
  const open = openingsOf(app.scopes);
  return { json: { ...app, kind, ...(kind !== 'server' && { open }), merchants }, text };
}

async function whatDisableEnds(given: Given): Promise<string[]> {
  const { appId, name, disabled } = await showApp(given.text('app'));
  if (disabled) return [];
  const others = (await listApps()).filter((app) => app.actsFor === appId && !app.disabled);
  return [
    `App ${appId} (${name}) will be refused: calls that change something at once, all calls within 60 s.`,
    ...others.map((app) => `App ${app.appId} (${app.name}) acts for it and stays: disable it, too, if it must stop.`),
  ];
}

async function disable(given: Given): Promise<Printed> {
  const appId = given.text('app');
  await disableApp(appId, given.actor);
  return {
    json: { appId, disabled: true },
    text: [`${appId} is disabled: calls that change something are refused at once, all calls within 60 s.`],
  };
}

async function enable(given: Given): Promise<Printed> {
  const appId = given.text('app');
  await enableApp(appId, given.actor);
  return { json: { appId, disabled: false }, text: [`${appId} is enabled: its calls are accepted within 5 s.`] };
}

async function whatRotateEnds(given: Given): Promise<string[]> {
  const { appId, name, keys } = await showApp(given.text('app'));
  const live = keys.filter(({ state }) => state === 'live').map(({ keyId }) => keyId);
  return live.length === 0 ? [] : [`App ${appId} (${name}): key ${live.join(', ')} will end in 24 h.`];
}

async function rotate(given: Given): Promise<Printed> {
  const appId = given.text('app');
  const rotated = await rotateKey(appId, given.actor);
  const { keyId, privateKey, oldKeyId, oldKeyEndsAt } = rotated;
  const text = [
    ...fields({ AppID: appId, key: keyId, privateKey }),
    'The privateKey is shown only once. It is valid everywhere within 5 s.',
    ...(oldKeyId === null ? [] : [`The former key ${oldKeyId} is valid until ${given.display.time(oldKeyEndsAt)}.`]),
  ];
  return { json: { appId, ...rotated }, text };
}

async function whatRevokeEnds(given: Given): Promise<string[]> {
  const { appId, name, keys } = await showApp(given.text('app'));
  const keyId = given.text('key');
  const others = keys.filter((key) => key.state === 'live' && key.keyId !== keyId).length;
  return [
    `App ${appId} (${name}): key ${keyId} will be refused, for calls that change something at once, for all calls within 60 s.`,
    others === 0
      ? 'It is the last valid key: every call of the app will be refused.'
      : `Valid keys that stay: ${others}.`,
  ];
}

async function revoke(given: Given): Promise<Printed> {
  const [appId, keyId] = [given.text('app'), given.text('key')];
  const liveKeys = await revokeKey(appId, keyId, given.actor);
  const text = [`Key ${keyId} is revoked: calls that change something are refused at once, all calls within 60 s.`];
  if (liveKeys === 0) text.push('The app has no valid key now: create one with "app rotate-key".');
  return { json: { appId, keyId, liveKeys }, text };
}

async function scopes(given: Given): Promise<Printed> {
  const appId = given.text('app');
  const change = scopeChange(given);
  const isChange = change.add.length + change.remove.length > 0;
  const after = isChange ? await changeScopes(appId, change, given.actor) : (await showApp(appId)).scopes;
  return { json: { appId, scopes: after }, text: fields({ AppID: appId, scopes: after.join(', ') }) };
}

function scopeChange(given: Given): { add: Scope[]; remove: Scope[] } {
  const [add, remove] = (['add', 'remove'] as const).map((option) =>
    given.optional(option) === undefined ? [] : given.list(option, SCOPES),
  ) as [Scope[], Scope[]];
  const both = add.filter((scope) => remove.includes(scope));
  if (both.length > 0) throw new UsageError(`--add and --remove both name ${both.join(', ')}`);
  return { add, remove };
}

async function whatScopesEnds(given: Given): Promise<string[]> {
  const { remove } = scopeChange(given);
  if (remove.length === 0) return [];
  const { appId, name, scopes: now } = await showApp(given.text('app'));
  const ended = remove.filter((scope) => now.includes(scope));
  if (ended.length === 0) return [];
  return [`App ${appId} (${name}): calls that need ${ended.join(', ')} will be refused within 60 s.`];
}

async function userFields(given: Given): Promise<Printed> {
  const appId = given.text('app');
  const file = given.optional('json-schema');
  if (file === undefined && !given.flag('remove')) {
    const { userFields: schema } = await showApp(appId);
    return { json: { appId, schema }, text: [schema === null ? 'none registered' : JSON.stringify(schema, null, 2)] };
  }
  const schema = file === undefined ? null : readSchema(file);
  await setUserFields(appId, schema, given.actor);
  return { json: { appId, schema }, text: [schema === null ? 'removed' : `registered for ${appId}`] };
}

async function whatFieldsReplaces(given: Given): Promise<string[]> {
  const { appId, name, userFields: registered } = await showApp(given.text('app'));
  const isChange = given.flag('remove') || given.optional('json-schema') !== undefined;
  if (!isChange || registered === null) return [];
  return [`App ${appId} (${name}): its registered user fields will be replaced: ${JSON.stringify(registered)}`];
}

function readSchema(file: string): object {
  const schema = jsonForm('json-schema', textOfFile('json-schema', file));
  if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) return schema;
  throw new UsageError('--json-schema takes a file with a JSON object');
}

export const app: Noun = {
  about: 'apps that may call, and their keys (row A2)',
  verbs: {
    create: {
      about: 'Issues an AppID and its privateKey; of a public app the AppID alone.',
      options: {
        name: required('X', 'a name for people'),
        methods: optional('A,B', `allowed signature methods (default: ${NEW_METHODS.join(',')})`),
        scopes: optional('A,B', `permissions (default: ${NEW_SCOPES.join(',')})`),
        plugins: optional('A,B', 'plugins for which it may issue tokens (default: all)'),
        ...CREATE_OPTIONS,
        'client-spend': CLIENT_SPEND_OPTION,
        for: optional('ID', 'a server app: the AppID of the app whose wallets it works on (default: its own)'),
      },
      destructive: false,
      run: create,
    },
    list: { about: 'Lists all apps.', options: {}, destructive: false, run: list },
    show: { about: 'Shows one app and its keys.', options: { app: APP }, destructive: false, run: show },
    disable: {
      about: 'Refuses the app: calls that change something at once, all calls within 60 s.',
      options: { app: APP },
      destructive: whatDisableEnds,
      run: disable,
    },
    enable: { about: 'Lets a disabled app call again.', options: { app: APP }, destructive: false, run: enable },
    public: publicVerb,
    wechat: wechatVerb,
    merchant: merchantVerb,
    'client-spend': clientSpendVerb,
    'rotate-key': {
      about: 'Makes a new privateKey; the old one is valid 24 h more.',
      options: { app: APP },
      destructive: whatRotateEnds,
      run: rotate,
    },
    'revoke-key': {
      about: 'Revokes one key.',
      options: { app: APP, key: required('KEY', 'its id in "app show", such as k1') },
      destructive: whatRevokeEnds,
      run: revoke,
    },
    scopes: {
      about: 'Gives an app scopes, takes scopes from it, or shows them.',
      options: {
        app: APP,
        add: optional('A,B', 'scopes to give, valid within 60 s'),
        remove: optional('A,B', 'scopes to take, refused within 60 s'),
      },
      destructive: whatScopesEnds,
      run: scopes,
    },
    fields: {
      about: 'Registers the extra user fields of an app (row B4), or shows them.',
      options: {
        app: APP,
        'json-schema': optional('FILE', 'JSON Schema of the fields (default: show it)'),
        remove: flag('removes the registration'),
      },
      destructive: whatFieldsReplaces,
      run: userFields,
    },
  },
};
