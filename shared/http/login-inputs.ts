import * as v from 'valibot';

/** Members of the bodies of several logins. */
export const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));

export const accountAddress = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected an account address'));

export const wechatCode = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,128}$/, 'expected a code of wx.login'));
