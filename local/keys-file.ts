import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';

/** The secrets of one data folder, made at its first start. They stay on this machine. */
export interface Keys {
  masterKey: string;
  serverKey: string;
  signingKey: string;
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
    signingKey: hexKey(),
    sandboxKey: hexKey(),
    redisToken: word(),
    databasePassword: word(),
    wechatSecret: word(),
  };
}

/** A folder from before these secrets existed gets them at its next start. Nothing in it was made with them. */
const LATER: readonly (keyof Keys)[] = ['signingKey'];

/**
 * undefined: the file does not exist. `added`: secrets that it lacks were made now, and the file has to be written.
 * Throws if it is damaged.
 */
export function readKeys(file: string): { keys: Keys; added: boolean } | undefined {
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

function parsed(text: string): { keys: Keys; added: boolean } | undefined {
  try {
    const read = JSON.parse(text) as Record<string, unknown>;
    const made = newKeys();
    const names = Object.keys(made) as (keyof Keys)[];
    const missing = names.filter((name) => typeof read[name] !== 'string' || read[name] === '');
    if (missing.some((name) => !LATER.includes(name))) return undefined;
    const keyOf = (name: keyof Keys): string => (missing.includes(name) ? made[name] : String(read[name]));
    const keys = Object.fromEntries(names.map((name) => [name, keyOf(name)])) as unknown as Keys;
    return { keys, added: missing.length > 0 };
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
