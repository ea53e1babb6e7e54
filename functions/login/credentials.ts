import * as v from 'valibot';
import { normalAccount } from '../../shared/account/account.ts';
import {
  hasPasswordLength,
  isGuessable,
  MAX_PASSWORD,
  MIN_PASSWORD,
  normalPassword,
} from '../../shared/account/password.ts';

/**
 * The forms of account and password. Account names are compared without case, passwords in their normal form (NFKC).
 */
export const accountName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_.@-]{3,64}$/, 'expected 3 to 64 of A-Z a-z 0-9 _ . @ -'),
  // An account address is shown in the same place as an account name, so a name must not look like one.
  v.check((name) => !/^a1[0-9a-f]{40}$/i.test(name), 'this is the form of an account address'),
  v.transform(normalAccount),
);

const normal = v.pipe(
  v.string(),
  v.check((text) => !/\p{Surrogate}/u.test(text), 'expected Unicode text'),
  v.transform(normalPassword),
);

/** At a login. A password that does not fit the rules is simply wrong; only an empty or very long one is refused. */
export const password = v.pipe(
  normal,
  v.check((text) => hasPasswordLength(text, 1), `expected 1 to ${MAX_PASSWORD} characters`),
);

/** Guessers try the name of the account first. `account`: in its normal form; null: the user has none. */
export const isOwnName = (password: string, account: string | null): boolean => normalAccount(password) === account;
export const NOT_THE_NAME = 'must not be the account';

export const newPassword = v.pipe(
  normal,
  v.check((text) => hasPasswordLength(text), `expected ${MIN_PASSWORD} to ${MAX_PASSWORD} characters`),
  v.check((text) => !isGuessable(text), 'this password is easy to guess'),
);
