import { createHash } from 'node:crypto';

declare const isLua: unique symbol;
/** Text of a script, or of a part of one. Only the tag `lua` makes this type. */
export type Lua = string & { readonly [isLua]: true };

/**
 * Marks a text as Lua. The build removes comments and spare white space from texts with this tag, and from no others.
 */
export const lua = (texts: TemplateStringsArray, ...parts: ReadonlyArray<Lua | number | readonly number[]>): Lua =>
  String.raw({ raw: texts }, ...parts) as Lua;

/**
 * A Lua script. All its keys are in KEYS. Its first line makes Upstash lock only these keys and not the whole
 * database. A plain Redis does not know this flag, so gateway/upstash/gateway.ts removes the line.
 */
export class Script {
  readonly text: string;
  readonly sha1: string;
  /**
   * false: send EVAL with the text. true: this process has sent it, so EVALSHA is enough. It saves a NOSCRIPT answer.
   */
  loaded = false;
  constructor(body: Lua) {
    this.text = `#!lua flags=allow-key-locking\n${body.trim()}\n`;
    this.sha1 = createHash('sha1').update(this.text).digest('hex');
  }
}
