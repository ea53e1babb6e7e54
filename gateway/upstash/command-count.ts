import { BadRequest } from './request.ts';

/** Upstash lets a database run this many commands a second, and names no bound for one request. */
const MAX_COMMANDS = 10_000;
const MAX_ARGUMENTS = 250_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;

/**
 * Counts the commands and the arguments of a JSON body while it arrives, so that a body with too many is neither kept
 * nor parsed: each of them costs far more memory than its two bytes.
 */
export class CommandCount {
  #lists = 0;
  #commas = 0;
  #inText = false;
  #escaped = false;

  add(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (this.#escaped) this.#escaped = false;
      else if (this.#inText) {
        if (byte === QUOTE) this.#inText = false;
        else if (byte === BACKSLASH) this.#escaped = true;
      } else if (byte === QUOTE) this.#inText = true;
      else if (byte === COMMA) this.#commas += 1;
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.#lists += 1;
    }
  }

  get tooMany(): boolean {
    // The first list holds the commands, and commas between them are counted as if they were arguments.
    return this.#lists > MAX_COMMANDS + 1 || this.#commas >= MAX_ARGUMENTS;
  }

  /** The text has the form of Upstash's texts for other bounds. */
  get refusal(): BadRequest {
    return this.#lists > MAX_COMMANDS + 1
      ? new BadRequest(
          `ERR max commands per request exceeded. Limit: ${MAX_COMMANDS} commands, Actual: ${this.#lists - 1} commands`,
        )
      : new BadRequest(
          `ERR max arguments per request exceeded. Limit: ${MAX_ARGUMENTS} arguments, Actual: ${this.#commas + 1} arguments`,
        );
  }
}
