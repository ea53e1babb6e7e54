import { randomBytes } from 'node:crypto';
import argon2 from 'hash-wasm/dist/argon2.umd.min.js';
import { AppError } from '../errors.ts';
import { alarm, remainingMs } from '../telemetry.ts';
import { isCommonPassword } from './common-passwords.ts';

/**
 * Passwords (row B1): argon2id with the parameters that OWASP recommends, kept as PHC strings, so that a hash made with
 * other parameters is still verified and then renewed. One hash takes some 50 ms and 19 MB.
 */
const PARAMETERS = { memorySize: 19_456, iterations: 2, parallelism: 1, hashLength: 32 };
const CURRENT = '$argon2id$v=19$m=19456,t=2,p=1$';
/** Of a password that nobody knows: an unknown account costs what a wrong password costs. */
const NOBODY = `${CURRENT}zS64nK2xNVV+UMiY3aBTOQ$HV70dsDGUCdbLIrha6zzhYncGriTuocvQPU6vX3X6bw`;

export const MIN_PASSWORD = 8;
export const MAX_PASSWORD = 256;

/** The one form in which a password is hashed: `é` typed in two ways is one password. Case and spaces stay. */
export const normalPassword = (password: string): string => password.normalize('NFKC');

/** In characters, not UTF-16 units. */
export const hasPasswordLength = (password: string, least = MIN_PASSWORD): boolean => {
  const length = [...password].length;
  return length >= least && length <= MAX_PASSWORD;
};

/** Of a normal password: whether guessers try it first. */
export const isGuessable = (password: string): boolean => isCommonPassword(password.toLowerCase());

/** PHC string. Throws UNAVAILABLE when too many hashes wait. */
export const hashPassword = (password: string): Promise<string> =>
  inTurn(() => argon2.argon2id({ ...PARAMETERS, password, salt: randomBytes(16), outputType: 'encoded' }));

/** `outdated`: right, and the hash should be made anew. `hash` null: no such account, or one without a password. */
export async function verifyPassword(password: string, hash: string | null): Promise<'right' | 'wrong' | 'outdated'> {
  const right = await inTurn(() => argon2.argon2Verify({ password, hash: hash ?? NOBODY }).catch(unreadable));
  if (!right || hash === null) return 'wrong';
  return hash.startsWith(CURRENT) ? 'right' : 'outdated';
}

function unreadable(): false {
  alarm('password.hash-unreadable');
  return false;
}

/** Hashes at once in a process, since each holds 19 MB, and those that may wait for their turn. */
const AT_ONCE = 2;
const MAX_WAITING = 64;
/** What a login needs after its hash. */
const RESERVE_MS = 500;
let running = 0;
const waiting: Array<() => void> = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running < AT_ONCE) running++;
  else if (waiting.length >= MAX_WAITING) throw busy();
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    // A hash blocks the loop: whatever has arrived meanwhile is handled first.
    await new Promise((resolve) => setImmediate(resolve));
    if (remainingMs(2 * RESERVE_MS) < RESERVE_MS) throw busy();
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

const busy = (): AppError => new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });
