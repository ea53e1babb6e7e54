import { serve } from '../../shared/http/lambda.ts';
import { register } from './accounts.ts';
import { eraseMe } from './erase.ts';
import { linkOwnPassword, linkOwnPhone, linkOwnWechat, unlinkOwn } from './identities.ts';
import { passwordChange, passwordLogin, passwordReset } from './password.ts';

/** The routes that compute a password hash, and no others: a hash blocks its instance, or the thread of `serve`. */
export const handler = serve(
  register,
  passwordLogin,
  passwordChange,
  passwordReset,
  eraseMe,
  linkOwnWechat,
  linkOwnPhone,
  linkOwnPassword,
  unlinkOwn,
);
