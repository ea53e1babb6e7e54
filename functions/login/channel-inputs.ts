import * as v from 'valibot';

/** Inputs that several steps of a channel login share. */
export const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));

export const accountAddress = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected an account address'));
