import { createHash } from 'node:crypto';

declare const isLua: unique symbol;
/** Text of a script or of a part of one. Only the tag `lua` makes it. */
type Lua = string & { readonly [isLua]: true };

/** Marks a text as Lua: the build takes comments and spare white space out of texts with this tag, and out of no other. */
export const lua = (texts: TemplateStringsArray, ...parts: ReadonlyArray<Lua | number | readonly number[]>): Lua =>
  String.raw({ raw: texts }, ...parts) as Lua;

/**
 * A Lua script whose keys are all declared. The first line keeps Upstash from locking the whole database for it; a
 * plain Redis does not know that flag, so gateway/upstash/gateway.ts strips it.
 */
export class Script {
  readonly text: string;
  readonly sha1: string;
  /** EVAL on a process's first call, EVALSHA after: a NOSCRIPT answer costs more than sending the text once. */
  loaded = false;
  constructor(body: Lua) {
    this.text = `#!lua flags=allow-key-locking\n${body.trim()}\n`;
    this.sha1 = createHash('sha1').update(this.text).digest('hex');
  }
}
