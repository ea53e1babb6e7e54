import { randomBytes } from 'node:crypto';
import argon2 from 'hash-wasm/dist/argon2.umd.min.js';
import { alarm } from '../telemetry.ts';
import { isCommonPassword } from './common-passwords.ts';
import { type HashCaller, inTurn } from './hash-queue.ts';

/**
 * Passwords (row B1): argon2id with the parameters that OWASP recommends. Hashes are stored as PHC strings, which
 * contain the parameters: an older hash can still be verified, and is then renewed. One hash takes about 50 ms and 19
 * MB.
 */
const PARAMETERS = { memorySize: 19_456, iterations: 2, parallelism: 1, hashLength: 32 };
const CURRENT = '$argon2id$v=19$m=19456,t=2,p=1$';
/** Hash of a random password. It is verified for an unknown account, which then takes as long as a wrong password. */
const DUMMY_HASH = `${CURRENT}zS64nK2xNVV+UMiY3aBTOQ$HV70dsDGUCdbLIrha6zzhYncGriTuocvQPU6vX3X6bw`;

export const MIN_PASSWORD = 8;
export const MAX_PASSWORD = 256;

/** Passwords are hashed in this form: two ways to type `é` are the same password. Case and spaces are kept. */
export const normalPassword = (password: string): string => password.normalize('NFKC');

/** `least` to MAX_PASSWORD characters, not UTF-16 units. */
export const hasPasswordLength = (password: string, least = MIN_PASSWORD): boolean => {
  const length = [...password].length;
  return length >= least && length <= MAX_PASSWORD;
};

/** true: guessers try this password first. `password`: in its normal form. */
export const isGuessable = (password: string): boolean => isCommonPassword(password.toLowerCase());

/** Returns a PHC string. Throws UNAVAILABLE when too many hashes wait. */
export const hashPassword = (password: string, caller: HashCaller): Promise<string> =>
  inTurn(caller, () => argon2.argon2id({ ...PARAMETERS, password, salt: randomBytes(16), outputType: 'encoded' }));

/**
 * `outdated`: the password is right, and its hash should be renewed. `hash` null: there is no such account, or it has
 * no password. Throws UNAVAILABLE when too many hashes wait.
 */
export async function verifyPassword(
  password: string,
  hash: string | null,
  caller: HashCaller,
): Promise<'right' | 'wrong' | 'outdated'> {
  const right = await inTurn(caller, () =>
    argon2.argon2Verify({ password, hash: hash ?? DUMMY_HASH }).catch(unreadable),
  );
  if (!right || hash === null) return 'wrong';
  return hash.startsWith(CURRENT) ? 'right' : 'outdated';
}

function unreadable(): false {
  alarm('password.hash-unreadable');
  return false;
}
