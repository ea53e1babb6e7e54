import { listChannels, putChannel, type RegisteredChannel, removeChannel } from '../../shared/channel/admin.ts';
import { type Given, type Noun, type Printed, required, UsageError } from '../command.ts';
import { addressForm, idForm, urlForm } from '../forms.ts';
import { table } from '../table.ts';

const ID = required('X', 'the channel');

function channelOf(given: Given): RegisteredChannel {
  const id = idForm('id', given.text('id'));
  if (id === 'demo') throw new UsageError('--id: channel demo belongs to the sandbox');
  const { host, port } = addressForm('login-server', given.text('login-server'));
  return {
    channel: id,
    verifyUrl: urlForm('verify', given.text('verify')),
    loginHost: host,
    loginPort: port,
  };
}

async function add(given: Given): Promise<Printed> {
  const channel = channelOf(given);
  const { added } = await putChannel(channel, given.actor);
  return { json: { ...channel, added }, text: [`Channel ${channel.channel} is ${added ? 'added' : 'changed'}.`] };
}

async function whatAddReplaces(given: Given): Promise<string[]> {
  const wanted = channelOf(given);
  const former = (await listChannels()).find(({ channel: id }) => id === wanted.channel);
  if (!former) return [];
  const { channel: id, verifyUrl, loginHost, loginPort } = former;
  return [`Channel ${id} exists: ${verifyUrl} and ${loginHost}:${loginPort} will be replaced.`];
}

async function whatRemoveEnds(given: Given): Promise<string[]> {
  const id = given.text('id');
  const isThere = (await listChannels()).some(({ channel: known }) => known === id);
  return isThere ? [`Channel ${id} will be removed: its users can no longer log in. Their accounts are kept.`] : [];
}

async function list(): Promise<Printed> {
  const channels = await listChannels();
  const rows = channels.map(({ channel, verifyUrl, loginHost, loginPort }) => [
    channel,
    verifyUrl,
    `${loginHost}:${loginPort}`,
  ]);
  return { json: { channels }, text: table(['channel', 'verify URL', 'login server'], rows) };
}

async function remove(given: Given): Promise<Printed> {
  const channel = given.text('id');
  await removeChannel(channel, given.actor);
  return { json: { channel, removed: true }, text: [`Channel ${channel} is removed. Its accounts are kept.`] };
}

export const channel: Noun = {
  about: 'companies whose users may log in here (rows C1 to C6)',
  verbs: {
    add: {
      about: 'Adds a channel, or changes it.',
      options: {
        id: ID,
        verify: required('URL', 'URL at which its server confirms a ticket'),
        'login-server': required('HOST:PORT', 'its entry in the login list'),
      },
      destructive: whatAddReplaces,
      run: add,
    },
    list: { about: 'Lists the channels.', options: {}, destructive: false, run: list },
    remove: {
      about: 'Removes a channel: its users can no longer log in.',
      options: { id: ID },
      destructive: whatRemoveEnds,
      run: remove,
    },
  },
};
