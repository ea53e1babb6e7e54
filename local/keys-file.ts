import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';

/** The secrets of one data folder, made at its first start. They stay on this machine. */
export interface Keys {
  masterKey: string;
  serverKey: string;
  sandboxKey: string;
  redisToken: string;
  databasePassword: string;
  wechatSecret: string;
}

const hexKey = () => randomBytes(32).toString('hex');
const word = () => randomBytes(24).toString('base64url');

export function newKeys(): Keys {
  return {
    masterKey: hexKey(),
    serverKey: hexKey(),
    sandboxKey: hexKey(),
    redisToken: word(),
    databasePassword: word(),
    wechatSecret: word(),
  };
}

/** undefined: the file does not exist. Throws if it is damaged. */
export function readKeys(file: string): Keys | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const keys = parsed(text);
  if (!keys)
    throw new Error(`${file} is damaged: restore a copy of it, or start with --fresh, which empties the folder`);
  return keys;
}

function parsed(text: string): Keys | undefined {
  try {
    const read = JSON.parse(text) as Record<string, unknown>;
    const names = Object.keys(newKeys()) as (keyof Keys)[];
    return names.every((name) => typeof read[name] === 'string' && read[name] !== '')
      ? (Object.fromEntries(names.map((name) => [name, read[name]])) as unknown as Keys)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Only the owner can read the file. It is renamed when complete, so readers never see a part of it. */
export async function writePrivately(file: string, content: object): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, file);
}

/** Shows whether a master key is the one that sealed the data, and reveals nothing else about the key. */
export const proofOf = (masterKey: string): string =>
  createHmac('sha256', Buffer.from(masterKey, 'hex')).update('mpc:data-folder').digest('hex').slice(0, 32);
