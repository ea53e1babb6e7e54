import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';

/** The secrets of one data folder, made at its first start. They never leave this machine. */
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

/** undefined: there is no such file. Throws when it is no keys file. */
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
    throw new Error(`${file} is damaged: put a copy of it back, or start with --fresh, which empties the folder`);
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

/** Readable by its owner alone; there is never half a file. */
export async function writePrivately(file: string, content: object): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, file);
}

/** Tells whether a master key is the one that data was sealed under, and tells nothing else about it. */
export const proofOf = (masterKey: string): string =>
  createHmac('sha256', Buffer.from(masterKey, 'hex')).update('mpc:data-folder').digest('hex').slice(0, 32);
